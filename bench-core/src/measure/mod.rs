//! Harnesses, schedules and the environment. Measuring never sees a threshold.
