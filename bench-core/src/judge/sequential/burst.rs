//! Rounds in which the machine was busy with something else.

use crate::judge::stats::quantile;

/// Before so many rounds nobody knows what is usual.
const ROUNDS_START: usize = 10;
/// What is usual is told by so many rounds before.
const ROUNDS_WINDOW: usize = 50;

/// Which rounds were quiet; those that were not are left out before anything is judged.
///
/// `busy` has one number per round that grows with what disturbs it: stolen ticks, or the time of a
/// control. A round is left out when its number is above `Q3 + 3 (Q3 - Q1)` of up to 50 rounds
/// before it (Tukey, *Exploratory Data Analysis*, 1977: "far out"). Of ten rounds that begin, none
/// is. Rounds that were left out count as rounds before: if the machine stays busy, that soon
/// becomes what is usual, and no more than about a quarter of the rounds can go.
///
/// The estimate gives a wild round little weight anyhow: leaving rounds out for stolen ticks was worth
/// between 3 % more rounds and 17 % fewer in a measured run of twelve benches. It is for bursts so long
/// that the rounds in them say nothing.
///
/// The number must treat both sides alike (the sum over both, not one of them) and not come from
/// the times that are judged. Otherwise leaving rounds out leans towards a verdict.
///
/// # Panics
/// When a number is not finite.
pub fn quiet(busy: &[f64]) -> Vec<bool> {
    assert!(busy.iter().all(|x| x.is_finite()), "how busy a round was is not finite");
    let is_quiet = |(index, &now): (usize, &f64)| {
        let before = &busy[index.saturating_sub(ROUNDS_WINDOW)..index];
        index < ROUNDS_START || {
            let (q1, q3) = (quantile(before, 0.25), quantile(before, 0.75));
            now <= 3.0f64.mul_add(q3 - q1, q3)
        }
    };
    busy.iter().enumerate().map(is_quiet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_left_out_and_what_is_usual_is_not() {
        let mut busy: Vec<f64> = (0..60).map(|i| f64::from(i % 5)).collect();
        assert!(quiet(&busy).iter().all(|&quiet| quiet));
        // Quartiles 1 and 3 or little more: the limit is from 9 to 10.
        (busy[30], busy[40], busy[3]) = (9.0, 11.0, 1e6);
        let loud: Vec<usize> = (0..60).filter(|&i| !quiet(&busy)[i]).collect();
        assert_eq!(loud, [40], "the first ten have nothing to be measured by");
    }

    #[test]
    fn where_nothing_is_ever_stolen_the_first_tick_counts() {
        let mut busy = [0.0; 20];
        busy[15] = 1.0;
        assert_eq!(quiet(&busy).iter().filter(|&&quiet| !quiet).count(), 1);
    }

    #[test]
    fn a_machine_that_stays_busy_is_measured_all_the_same() {
        let busy: Vec<f64> = (0..200).map(|i| if i < 100 { 0.0 } else { 5.0 }).collect();
        let left_out = quiet(&busy).iter().filter(|&&quiet| !quiet).count();
        // From round 100 on, until a quarter of the window of 50 is busy: h = 49 * 0.75.
        assert_eq!(left_out, 13);
    }

    #[test]
    fn no_rounds_are_no_rounds() {
        assert!(quiet(&[]).is_empty());
    }
}
