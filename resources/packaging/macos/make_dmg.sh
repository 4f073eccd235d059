#!/bin/sh
# Disk image for macOS, made from the bundle that PyInstaller wrote:
#     python3 resources/packaging/build.py
#     sh resources/packaging/macos/make_dmg.sh
# Signs when CODESIGN_IDENTITY is set, and has it notarized when NOTARY_PROFILE names a stored
# profile of notarytool; without them the image is for the machine it was made on.
set -eu
cd "$(dirname "$0")/../../.."
bundle=build/package/dist/Penstock.app
version=$(/usr/libexec/PlistBuddy -c 'Print CFBundleShortVersionString' "$bundle/Contents/Info.plist")
image="dist/penstock-$version-$(uname -m).dmg"

if [ -n "${CODESIGN_IDENTITY:-}" ]; then
    codesign --force --deep --options runtime --timestamp \
        --entitlements resources/packaging/macos/entitlements.plist \
        --sign "$CODESIGN_IDENTITY" "$bundle"
    codesign --verify --deep --strict "$bundle"
fi

stage=build/package/dmg
rm -rf "$stage" "$image"
mkdir -p "$stage" dist
cp -R "$bundle" "$stage/"
ln -s /Applications "$stage/Applications"
cp LICENSE "$stage/LICENSE.txt"
hdiutil create -volname Penstock -srcfolder "$stage" -format ULFO -ov "$image"
rm -rf "$stage"

if [ -n "${CODESIGN_IDENTITY:-}" ]; then
    codesign --sign "$CODESIGN_IDENTITY" --timestamp "$image"
    if [ -n "${NOTARY_PROFILE:-}" ]; then
        xcrun notarytool submit "$image" --keychain-profile "$NOTARY_PROFILE" --wait
        xcrun stapler staple "$image"
    fi
fi
echo "$image"
