//! Where the level of a series changed, and which commit it was: change points with attribution.

use std::str::FromStr;

use bench_core::judge::Direction;
use bench_core::judge::changepoint::{ChangePoint, Settings, change_points};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::read::Point;

/// A shorter series has no change point: of two values, one on each side, nobody knows the spread.
pub(crate) const LENGTH_MIN: usize = 3;
/// Fewer characters are too likely those of several commits.
const COMMIT_CHARS_MIN: usize = 7;
/// How much of a hash is shown.
const SHORT: usize = 12;

/// A change of level between two runs that follow each other in their series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// Where it is among the points, the means of both levels, and how sure that is.
    pub(crate) point: ChangePoint,
    /// The last run of the old level.
    pub(crate) earlier: Point,
    /// The first run of the new level: at its commit the level is another.
    pub(crate) first: Point,
    /// Whether that is good.
    pub(crate) way: Way,
}

/// Which way a level went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Worse,
    /// Nobody knows which way of this metric is better.
    Unknown,
    Better,
}

impl Way {
    /// One word, the same in every form.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Unknown => "changed",
            Self::Better => "better",
        }
    }
}

/// The points that change points are sought in: without runs of a tree that differed from its
/// commit, which no commit explains, and without values that are no numbers. And how many were
/// left out.
pub(crate) fn measured(mut points: Vec<Point>) -> (Vec<Point>, usize) {
    let all = points.len();
    points.retain(|point| point.dirty != Some(true) && point.value.is_finite());
    let left_out = all - points.len();
    (points, left_out)
}

/// The change points of a series, in its order. `better` is the direction of its metric.
///
/// # Panics
/// When a value is not finite ([`measured`] leaves those out), and as
/// [`change_points`] does for settings out of bounds.
pub(crate) fn of(points: &[Point], better: Option<Direction>, settings: Settings) -> Vec<Change> {
    let values: Vec<f64> = points.iter().map(|point| point.value).collect();
    let change = |point: ChangePoint| Change {
        earlier: points[point.index - 1].clone(),
        first: points[point.index].clone(),
        way: way(&point, better),
        point,
    };
    change_points(&values, settings).into_iter().map(change).collect()
}

fn way(point: &ChangePoint, better: Option<Direction>) -> Way {
    match better {
        None => Way::Unknown,
        Some(better) if (point.after > point.before) == (better == Direction::Higher) => {
            Way::Better
        }
        Some(_) => Way::Worse,
    }
}

impl Change {
    /// The commits of the last run before and the first run after, where both are known and they
    /// are not the same.
    pub(crate) fn commits(&self) -> Option<(&str, &str)> {
        let commits = (self.earlier.commit.as_deref()?, self.first.commit.as_deref()?);
        (commits.0 != commits.1).then_some(commits)
    }

    /// What is known of the step from the two runs alone.
    pub(crate) fn note(&self) -> String {
        match (self.commits(), &self.earlier.commit, &self.first.commit) {
            (Some((last, first)), ..) => format!("between {} and {}", short(last), short(first)),
            (None, Some(_), Some(_)) => "within one commit: not the code alone".to_owned(),
            (None, None, Some(first)) => format!("at {} or before it", short(first)),
            (None, ..) => "commit unknown".to_owned(),
        }
    }
}

/// The first characters of a hash.
pub(crate) fn short(commit: &str) -> String {
    commit.chars().take(SHORT).collect()
}

/// From when on changes are told; they are sought in the whole series all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// Runs that started then or later.
    Time(Timestamp),
    /// The first run of the commit that begins so, and all that started later.
    Commit(String),
    /// The last so many runs of each series.
    Runs(usize),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(number) = text.strip_suffix("runs").or_else(|| text.strip_suffix("run")) {
            let number = number.trim().parse().ok().filter(|number| *number > 0);
            return number.map(Self::Runs).ok_or("write a number of runs, as '30 runs'".into());
        }
        if text.contains('-') {
            let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
            let time = text.parse().or_else(|_| text.parse().and_then(midnight));
            return time.map(Self::Time).map_err(|error| {
                format!("write a date, as 2026-11-20 or 2026-11-20T09:12:44Z: {error}")
            });
        }
        let hash = text.len() >= COMMIT_CHARS_MIN && text.chars().all(|c| c.is_ascii_hexdigit());
        let wrong = "write a date as 2026-11-20, '30 runs', or 7 characters or more of a commit";
        hash.then(|| Self::Commit(text.to_ascii_lowercase())).ok_or(wrong.into())
    }
}

/// [`Since`] once it is known when the commit was first measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Time(Timestamp),
    Runs(usize),
}

impl Start {
    /// Whether a change of a series of `runs` points lies within.
    pub(crate) fn holds(self, change: &Change, runs: usize) -> bool {
        match self {
            Self::Runs(last) => change.point.index + last >= runs,
            // What can't be read is told rather than hidden.
            Self::Time(from) => {
                change.first.started_at.parse::<Timestamp>().map_or(true, |at| at >= from)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(day: usize, value: f64) -> Point {
        Point {
            started_at: format!("2026-01-{day:02}T00:00:00Z"),
            commit: Some(format!("{day:02x}").repeat(20)),
            dirty: Some(false),
            value,
            run_id: format!("run {day}"),
        }
    }

    fn stepped() -> Vec<Point> {
        let level = |day: usize| if day <= 10 { 1_000.0 } else { 1_100.0 };
        (1..=20).map(|day| point(day, level(day) + (day % 3) as f64)).collect()
    }

    #[test]
    fn a_step_is_of_the_first_commit_of_the_new_level_and_knows_its_way() {
        let points = stepped();
        for (better, expected) in [
            (Some(Direction::Lower), Way::Worse),
            (Some(Direction::Higher), Way::Better),
            (None, Way::Unknown),
        ] {
            let changes = of(&points, better, Settings::OTAVA);
            assert_eq!(changes.len(), 1);
            assert_eq!((changes[0].point.index, changes[0].way), (10, expected));
            assert_eq!(changes[0].first, points[10]);
            assert_eq!(changes[0].earlier, points[9]);
            // 1,2,0 three times and 1; 2,0,1 three times and 2.
            assert_eq!((changes[0].point.before, changes[0].point.after), (1_001.0, 1_101.1));
            assert_eq!(changes[0].note(), "between 0a0a0a0a0a0a and 0b0b0b0b0b0b");
        }
    }

    #[test]
    fn a_step_without_two_commits_says_so() {
        let mut change = of(&stepped(), None, Settings::OTAVA).remove(0);
        change.earlier.commit = None;
        assert_eq!(change.note(), "at 0b0b0b0b0b0b or before it");
        change.earlier.commit = change.first.commit.clone();
        assert_eq!(change.note(), "within one commit: not the code alone");
        assert_eq!(change.commits(), None);
        change.first.commit = None;
        assert_eq!(change.note(), "commit unknown");
    }

    #[test]
    fn changed_trees_and_what_is_no_number_are_left_out_and_counted() {
        let mut points = stepped();
        points[3].dirty = Some(true);
        points[4].value = f64::NAN;
        points[5].dirty = None;
        let (measured, left_out) = measured(points);
        assert_eq!((measured.len(), left_out), (18, 2));
    }

    #[test]
    fn three_values_can_have_a_change_point_and_two_cannot() {
        let values = |values: &[f64]| {
            let points: Vec<Point> =
                values.iter().enumerate().map(|(i, value)| point(i + 1, *value)).collect();
            of(&points, None, Settings::OTAVA).len()
        };
        assert_eq!((values(&[1.0, 9.0]), values(&[1.0, 1.0, 9.0])), (0, 1));
    }

    #[test]
    fn since_is_a_date_a_time_a_commit_or_a_number_of_runs() {
        let time = |text: &str| Since::Time(text.parse().expect("a time"));
        let read = |text: &str| text.parse::<Since>();
        assert_eq!(read("2026-11-20"), Ok(time("2026-11-20T00:00:00Z")));
        assert_eq!(read("2026-11-20T09:12:44Z"), Ok(time("2026-11-20T09:12:44Z")));
        assert_eq!(read("30 runs"), Ok(Since::Runs(30)));
        assert_eq!(read("1run"), Ok(Since::Runs(1)));
        assert_eq!(read("BADC0FFE"), Ok(Since::Commit("badc0ffe".into())));
        for bad in ["", "0 runs", "runs", "badc0f", "main", "2026-13-01", "--output=x"] {
            read(bad).expect_err(bad);
        }
    }

    #[test]
    fn a_change_lies_within_from_its_first_run_on() {
        let change = of(&stepped(), None, Settings::OTAVA).remove(0);
        let time = |text: &str| Start::Time(text.parse().expect("a time"));
        assert!(time("2026-01-11T00:00:00Z").holds(&change, 20));
        assert!(!time("2026-01-11T00:00:01Z").holds(&change, 20));
        assert!(Start::Runs(10).holds(&change, 20));
        assert!(!Start::Runs(9).holds(&change, 20));
    }
}
