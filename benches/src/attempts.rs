//! What is measured anew because who carried it was too late: a busy moment of the machine is not the
//! link.

use bench_core::workload::Failure;

/// How often, at the most, where a spoiled measurement is a failed one.
const MOST: usize = 3;

/// What `once` brings at the first attempt that is not spoiled, or at the last, and which that is.
/// What is told and not judged (`judged`) has one attempt.
///
/// # Errors
/// At once, what `once` fails with.
pub(crate) fn until_sound<T>(
    judged: bool,
    is_spoiled: impl Fn(&T) -> bool,
    mut once: impl FnMut() -> Result<T, Failure>,
) -> Result<(T, usize), Failure> {
    let most = if judged { MOST } else { 1 };
    let mut attempt = 1;
    loop {
        let found = once()?;
        if attempt == most || !is_spoiled(&found) {
            return Ok((found, attempt));
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoiled_is_done_again_and_not_for_ever() {
        let spoiled = |found: &u32| *found < 2;
        let count = |judged| {
            let mut found = 0;
            until_sound(judged, spoiled, || {
                found += 1;
                Ok(found)
            })
        };
        assert_eq!(count(true).expect("found"), (2, 2));
        assert_eq!(count(false).expect("found"), (1, 1));
        let hopeless = until_sound(true, |_: &()| true, || Ok(()));
        assert_eq!(hopeless.expect("found"), ((), MOST));
        until_sound(true, |_: &()| true, || Err("broken".into())).expect_err("at once");
    }
}
