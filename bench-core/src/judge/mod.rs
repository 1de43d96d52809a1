//! Statistics, comparison, verdict: pure functions over records. Judging never touches the machine.
