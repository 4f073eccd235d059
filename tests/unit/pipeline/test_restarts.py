from engine.pipeline.restarts import RestartPolicy


def test_each_restart_waits_longer_than_the_one_before() -> None:
    policy = RestartPolicy()

    assert [policy.died(float(n)) for n in range(4)] == [0.25, 0.5, 1.0, 2.0]


def test_the_sixth_death_within_a_minute_is_the_last() -> None:
    policy = RestartPolicy()
    for n in range(5):
        assert policy.died(n * 10.0) is not None

    assert policy.died(50.0) is None


def test_deaths_more_than_a_minute_ago_do_not_count() -> None:
    policy = RestartPolicy()
    for n in range(5):
        policy.died(float(n))

    assert policy.died(100.0) is not None


def test_ten_stable_seconds_make_the_delay_short_again() -> None:
    policy = RestartPolicy()
    policy.died(0.0)
    policy.died(1.0)
    policy.started(2.0)

    assert policy.died(12.5) == 0.25


def test_a_driver_that_dies_soon_after_its_start_keeps_its_delay() -> None:
    policy = RestartPolicy()
    policy.died(0.0)
    policy.started(1.0)

    assert policy.died(2.0) == 0.5


def test_restarts_are_counted() -> None:
    policy = RestartPolicy()
    policy.died(0.0)
    policy.died(1.0)

    assert policy.restarts == 2
