; Installer for Windows, made by Inno Setup 6 from the folder that PyInstaller wrote:
;     python resources\packaging\build.py
;     iscc /DVersion=0.1.0 resources\packaging\windows\penstock.iss
; Installs for one user without administrator rights, or for all users when asked to.

#ifndef Version
  #error Give the version: iscc /DVersion=1.2.3 penstock.iss
#endif
#define Root "..\..\.."

[Setup]
AppId={{6F1D7C0E-5B0B-4B52-9B69-6B9E0F6A3C11}
AppName=Penstock
AppVersion={#Version}
AppPublisher=The Penstock developers
DefaultDirName={autopf}\Penstock
DefaultGroupName=Penstock
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
LicenseFile={#Root}\LICENSE
OutputDir={#Root}\dist
OutputBaseFilename=penstock-{#Version}-setup
SetupIconFile={#Root}\build\package\icons\penstock.ico
UninstallDisplayIcon={app}\penstock.exe
Compression=lzma2/max
SolidCompression=yes
ChangesAssociations=yes
ChangesEnvironment=yes
WizardStyle=modern

[Tasks]
Name: desktopicon; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: path; Description: "Add the command line to PATH"

[Files]
Source: "{#Root}\build\package\dist\penstock\*"; DestDir: "{app}"; Flags: recursesubdirs ignoreversion

[Icons]
Name: "{group}\Penstock"; Filename: "{app}\penstock.exe"; Parameters: "gui"
Name: "{group}\Penstock demo"; Filename: "{app}\penstock.exe"; Parameters: "demo"
Name: "{autodesktop}\Penstock"; Filename: "{app}\penstock.exe"; Parameters: "gui"; Tasks: desktopicon

[Registry]
Root: HKA; Subkey: "Software\Classes\.dfp\OpenWithProgids"; ValueType: string; ValueName: "Penstock.Program"; ValueData: ""; Flags: uninsdeletevalue
Root: HKA; Subkey: "Software\Classes\Penstock.Program"; ValueType: string; ValueData: "Penstock program"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Penstock.Program\DefaultIcon"; ValueType: string; ValueData: "{app}\penstock.exe,0"
Root: HKA; Subkey: "Software\Classes\Penstock.Program\shell\open\command"; ValueType: string; ValueData: """{app}\penstock.exe"" gui ""%1"""
Root: HKA; Subkey: "Software\Classes\Applications\penstock.exe\shell\open\command"; ValueType: string; ValueData: """{app}\penstock.exe"" gui ""%1"""
Root: HKA; Subkey: "Software\Classes\Applications\penstock.exe\SupportedTypes"; ValueType: string; ValueName: ".toml"; ValueData: ""; Flags: uninsdeletekey
Root: HKA; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: IsNotOnPath

[Code]
function IsNotOnPath: Boolean;
var
  Path: string;
begin
  if not RegQueryStringValue(HKA, 'Environment', 'Path', Path) then
    Path := '';
  Result := Pos(';' + Uppercase(ExpandConstant('{app}')) + ';', ';' + Uppercase(Path) + ';') = 0;
end;
