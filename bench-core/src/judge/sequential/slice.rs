//! The raw samples of one slice become one time.

/// Nanoseconds per operation of a slice, from what each batch took and how many operations it had:
/// the average of its fastest batch.
///
/// What disturbs a batch, an interrupt or a neighbour, only ever makes it slower, so the fastest
/// repeats best (Chen and Revels, *Robust benchmarking in noisy environments*, 2016). How far
/// `ln(head / base)` scatters with the same code on both sides, ten batches, 250 rounds on a machine
/// in use:
///
/// | bench | minimum | 0.1 quantile | lower quartile | median |
/// |---|---|---|---|---|
/// | hash of 64 KiB | 1.2 % | 1.3 % | 1.8 % | 4.8 % |
/// | sort of 64 KiB | 1.4 % | 1.5 % | 2.2 % | 4.9 % |
/// | copy of 1 MiB | 10.6 % | 13.1 % | 16.6 % | 25.8 % |
/// | cold read of 64 KiB | 13.8 % | 14.4 % | 15.6 % | 23.3 % |
/// | gRPC write of 64 KiB | 3.0 % | 3.6 % | 4.7 % | 11.0 % |
///
/// Twice the scatter takes four times the rounds.
///
/// *Not seen:* what slows some batches of a slice and not the fastest. A batch is an average of all its
/// operations, though, so one slow operation in a thousand is in every batch of many thousands.
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
        each.fold(f64::INFINITY, f64::min)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_batch_counts_by_its_average() {
        assert_eq!(time_per_operation(&[10, 20, 30], &[100.0, 180.0, 330.0]), Some(9.0));
        assert_eq!(time_per_operation(&[4], &[10.0]), Some(2.5));
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
