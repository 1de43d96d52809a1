//! The raw samples of one slice become one time.

use crate::judge::stats::quantile;

/// One tenth of the way from the fastest batch to the slowest: of ten, next to the second fastest.
const FAST: f64 = 0.1;

/// Nanoseconds per operation of a slice, from what each batch took and how many operations it had:
/// the 0.1 quantile of the batches' averages.
///
/// What disturbs a batch, an interrupt or a neighbour, only ever makes it slower, so the fast end
/// repeats best. Measured with the same code on both sides on a machine in use, 100 rounds of ten
/// batches, the spread of `ln(head / base)`: a hash 0.9 % by this quantile, 1.0 % by the minimum, 1.1 %
/// by the lower quartile, 1.6 % by the median, 7.8 % by the mean; sorting, reading and sockets much
/// the same. The minimum hangs on one batch, which may be the one that the clock wronged.
///
/// *Not seen:* what slows only some batches of a slice. Each batch is an average of its operations,
/// though, so one slow operation in a thousand is in every batch of many thousands.
///
/// `None` without batches, when the two lengths differ, or when a batch had no operations or took
/// no finite time above zero.
pub fn time_per_operation(operations: &[u64], batches_ns: &[f64]) -> Option<f64> {
    let is_sound = |(&count, &ns): (&u64, &f64)| count > 0 && ns.is_finite() && ns > 0.0;
    let sound = !operations.is_empty()
        && operations.len() == batches_ns.len()
        && operations.iter().zip(batches_ns).all(is_sound);
    sound.then(|| {
        let each = operations.iter().zip(batches_ns).map(|(&count, &ns)| ns / count as f64);
        quantile(&each.collect::<Vec<f64>>(), FAST)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ten_batches_it_is_next_to_the_second_fastest() {
        let operations = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        // 19, 18, .. 10 each: sorted, the 0.9th from the start is 10.9.
        let batches: Vec<f64> = (1..=10).map(|n| f64::from(n * (20 - n))).collect();
        let time = time_per_operation(&operations, &batches).expect("sound");
        assert!((time - 10.9).abs() < 1e-12, "{time}");
        assert_eq!(time_per_operation(&[4], &[10.0]), Some(2.5));
    }

    #[test]
    fn three_of_four_batches_may_be_disturbed() {
        let calm = time_per_operation(&[10; 10], &[100.0; 10]);
        let mut batches = [100.0; 10];
        batches[2..].fill(5_000.0);
        assert_eq!(time_per_operation(&[10; 10], &batches), calm);
    }

    #[test]
    fn what_is_no_measurement_has_no_time() {
        let bad: [(&[u64], &[f64]); 7] = [
            (&[], &[]),
            (&[1, 1], &[1.0]),
            (&[0, 1], &[1.0, 1.0]),
            (&[1, 1], &[1.0, 0.0]),
            (&[1, 1], &[1.0, -1.0]),
            (&[1, 1], &[1.0, f64::NAN]),
            (&[1, 1], &[1.0, f64::INFINITY]),
        ];
        for (operations, batches) in bad {
            assert_eq!(time_per_operation(operations, batches), None, "{operations:?} {batches:?}");
        }
    }
}
