"""The floor of an event rises before it, stands, and comes down in steps; of several the higher one wins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from strategies.peaks import Course, highest, over_time, sized, together
from strategies.quantities import Amount

HOUR = 3600.0
DERBY = Course(at=10 * HOUR, before=HOUR, after=2 * HOUR, step=Amount(20, percent=True), every=600)
courses = st.builds(
    Course,
    at=st.integers(0, 10_000).map(float),
    before=st.integers(0, 3_000).map(float),
    after=st.integers(0, 3_000).map(float),
    step=st.one_of(
        st.integers(1, 100).map(lambda one: Amount(one, percent=True)), st.integers(1, 50).map(Amount)
    ),
    every=st.integers(1, 900).map(float),
)
peaks = st.integers(1, 200)


def test_a_floor_stands_from_an_hour_before_to_two_after() -> None:
    assert DERBY.floor(40, 9 * HOUR - 1) == 0
    assert DERBY.floor(40, 9 * HOUR) == 40
    assert DERBY.floor(40, 12 * HOUR - 1) == 40


def test_it_then_comes_down_by_a_fifth_every_ten_minutes() -> None:
    assert [DERBY.floor(40, 12 * HOUR + 600 * step) for step in range(6)] == [32, 24, 16, 8, 0, 0]
    assert DERBY.ends(40) == 12 * HOUR + 2400


def test_it_comes_down_by_pods_where_that_is_said() -> None:
    course = Course(at=0, before=0, after=0, step=Amount(15), every=60)
    assert course.changes(40) == ((0, 25), (0, 25), (60, 10), (120, 0))


def test_of_events_that_overlap_the_higher_floor_wins() -> None:
    cup = Course(at=11 * HOUR, before=HOUR, after=HOUR, step=Amount(100, percent=True), every=600)
    assert highest(((DERBY, 40), (cup, 60)), 10.5 * HOUR) == 60
    told = over_time(((DERBY, 40), (cup, 60)))
    assert told[:3] == ((9 * HOUR, 40), (10 * HOUR, 60), (12 * HOUR, 32))


def test_a_factor_is_rounded_up() -> None:
    assert sized(1.5, 7) == 11
    assert sized(3.0, 6) == 18
    assert sized(1.1, 10) == 11


@given(courses, peaks, st.integers(-5_000, 40_000).map(float))
def test_a_floor_is_the_peak_while_it_stands_and_only_ever_comes_down(
    course: Course, peak: int, now: float
) -> None:
    floor = course.floor(peak, now)
    assert 0 <= floor <= peak
    assert (floor == peak) == (course.begins <= now < course.comes_down)
    assert now < course.begins or course.floor(peak, now + 1) <= floor


@given(courses, peaks)
def test_every_floor_ends_and_not_before_it_says(course: Course, peak: int) -> None:
    assert course.floor(peak, course.ends(peak)) == 0
    assert course.ends(peak) == course.comes_down or course.floor(peak, course.ends(peak) - 0.5) > 0


@given(st.lists(st.tuples(courses, peaks), min_size=1, max_size=4), st.integers(0, 20_000).map(float))
def test_what_is_told_over_time_is_what_holds_at_every_moment(
    several: list[tuple[Course, int]], now: float
) -> None:
    told = [floor for moment, floor in over_time(several) if moment <= now]
    assert (told[-1] if told else 0) == max(course.floor(peak, now) for course, peak in several)


def test_events_are_together_as_long_as_one_begins_before_those_before_it_are_over() -> None:
    short, late, much_later = (
        Course(at=at * HOUR, before=0, after=HOUR, step=Amount(100, percent=True), every=600)
        for at in (12.5, 13, 20)
    )
    assert together(((much_later, 5), (DERBY, 40), (short, 10), (late, 9))) == ((1, 2, 3), (0,))
    assert together(()) == ()


@given(st.lists(st.tuples(courses, peaks), max_size=5))
def test_two_events_whose_floors_stand_at_one_moment_are_in_one_group(
    events: list[tuple[Course, int]],
) -> None:
    groups = together(events)
    assert sorted(number for group in groups for number in group) == list(range(len(events)))
    group_of = {number: group for group in groups for number in group}
    standing = {
        moment: [number for number, (course, peak) in enumerate(events) if course.floor(peak, moment)]
        for moment in {course.begins for course, _ in events}
    }
    assert all(len({group_of[number] for number in several}) <= 1 for several in standing.values())
