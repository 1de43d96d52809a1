//! Bounds that need no baseline: what an operation may cost, and how its cost may grow with size.

use serde::Deserialize;

use super::glob::Glob;
use crate::units::ByteSize;

/// Fewer sizes than this have no growth: three unknowns fit any three points.
pub const SIZES_MIN: usize = 4;
/// The part of the largest count that must come from growth before its exponent means anything.
const GROWTH_MIN: f64 = 0.25;
/// And how much of it there must be for each byte of the largest size: whatever loops over a KiB
/// executes more than one instruction for it. Less is another path taken from some size on.
const GROWTH_PER_BYTE_MIN: f64 = 1.0 / 1024.0;
/// The exponents that are tried; a count that grows faster than n⁴ is past any budget.
const EXPONENTS: (f64, f64) = (0.05, 4.0);
const GRID: usize = 396;

/// What the ids that match may cost. At least one bound is set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Budget {
    /// The ids.
    pub id: Glob,
    /// Instructions of one operation for each byte of the size that its id ends with.
    pub instructions_per_byte: Option<f64>,
    /// Allocation calls of one operation.
    pub allocations: Option<u64>,
    /// System calls of one operation.
    pub syscalls: Option<u64>,
    /// The exponent by which instructions may grow over the sizes of a workload: [`growth`].
    pub exponent: Option<f64>,
}

/// A budget as it is written down, not yet known to make sense.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: Glob,
    instructions_per_byte: Option<f64>,
    allocations: Option<u64>,
    syscalls: Option<u64>,
    exponent: Option<f64>,
}

impl TryFrom<Written> for Budget {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { id, instructions_per_byte, allocations, syscalls, exponent } = written;
        let named = [("instructions_per_byte", instructions_per_byte), ("exponent", exponent)];
        for (name, bound) in named {
            if let Some(bound) = bound.filter(|bound| !bound.is_finite() || *bound <= 0.0) {
                return Err(format!("{name} = {bound} of budget {id}: write more than 0"));
            }
        }
        let counted = allocations.or(syscalls).is_some();
        if !counted && named.iter().all(|(_, bound)| bound.is_none()) {
            return Err(format!(
                "budget {id} bounds nothing; write instructions_per_byte, allocations, syscalls \
                 or exponent"
            ));
        }
        Ok(Self { id, instructions_per_byte, allocations, syscalls, exponent })
    }
}

/// How a count grows with size: `fixed + growing · (n / largest)^exponent`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Part of the count that does not depend on size.
    pub fixed: f64,
    /// Part of the count at the largest size that does.
    pub growing: f64,
    /// By which power of the size it grows: 1 is linear, 2 quadratic.
    pub exponent: f64,
    /// The largest size, in bytes.
    pub largest: f64,
}

impl Growth {
    /// Whether the count grows faster than `bound`, and enough of it grows for that to matter: at
    /// the largest size a quarter, and an instruction for each KiB. Below that the exponent is one
    /// of rounding, or of a step from one path to another.
    pub fn exceeds(&self, bound: f64) -> bool {
        let share = self.growing / (self.fixed + self.growing);
        let enough = share >= GROWTH_MIN && self.growing / self.largest >= GROWTH_PER_BYTE_MIN;
        self.exponent > bound && enough
    }
}

/// The size that an id ends with, as 16 KiB of `payload/fill/16KiB`; `None` where it ends with none
/// or with none at all to divide by.
pub fn size_of(id: &str) -> Option<ByteSize> {
    let size: ByteSize = id.rsplit('/').next()?.parse().ok()?;
    (size.bytes() > 0).then_some(size)
}

/// The id without the size at its end: what the ids of one workload have in common.
pub fn workload_of(id: &str) -> Option<&str> {
    size_of(id).and(id.rsplit_once('/')).map(|(workload, _)| workload)
}

/// How counts `y` grow with sizes `n`, given as pairs `(n, y)` in any order.
///
/// Fits `y = a + b (n / n_max)^k` with `a, b ≥ 0` by least squares of *relative* residuals, that is
/// minimises `Σ ((yᵢ - a - b mᵢᵏ) / yᵢ)²`: for each `k` of a grid from 0.05 to 4 the two others are
/// linear and have a closed form; the best `k` is then refined by golden section. The fixed part is
/// in the model because the slope of `ln y` over `ln n` is not the exponent where an operation has a
/// set-up cost: it is too low, and lets a quadratic slip pass. Without the fixed part it would be
/// that slope, as numpy's `polyfit` gives it.
///
/// `n ln n` over a thousandfold of sizes fits best at 1.10. A linear count that got a quadratic part
/// fits in between, and above 1.1 when that part is some 40 % of the count at the largest size. A
/// count that is the same at all sizes, or falls, has `b = 0` and exponent 0.
///
/// `None` with fewer than four different sizes, and where a size or count is not above zero.
pub fn growth(points: &[(f64, f64)]) -> Option<Growth> {
    let mut sizes: Vec<f64> = points.iter().map(|(n, _)| *n).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    sizes.dedup();
    let sound = |value: f64| value.is_finite() && value > 0.0;
    if sizes.len() < SIZES_MIN || !points.iter().all(|(n, y)| sound(*n) && sound(*y)) {
        return None;
    }
    let largest = *sizes.last()?;
    let points: Vec<(f64, f64)> = points.iter().map(|(n, y)| (n / largest, *y)).collect();
    let step = (EXPONENTS.1 - EXPONENTS.0) / (GRID - 1) as f64;
    let grid = (0..GRID).map(|n| EXPONENTS.0 + step * n as f64);
    let coarse = grid.min_by(|a, b| loss(&points, *a).total_cmp(&loss(&points, *b)))?;
    let exponent = refined(&points, coarse, step);
    let (fixed, growing) = linear(&points, exponent);
    let exponent = if growing == 0.0 { 0.0 } else { exponent };
    Some(Growth { fixed, growing, exponent, largest })
}

/// The best exponent within one step of `coarse`, by golden section.
fn refined(points: &[(f64, f64)], coarse: f64, step: f64) -> f64 {
    let golden = (5_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = ((coarse - step).max(EXPONENTS.0), (coarse + step).min(EXPONENTS.1));
    while high - low > 1e-9 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if loss(points, left) <= loss(points, right) {
            high = right;
        } else {
            low = left;
        }
    }
    (low + high) / 2.0
}

fn loss(points: &[(f64, f64)], exponent: f64) -> f64 {
    let (a, b) = linear(points, exponent);
    points.iter().map(|(m, y)| ((y - a - b * m.powf(exponent)) / y).powi(2)).sum()
}

/// The best `a` and `b` of `y = a + b m^k`, neither below zero: the normal equations with weights
/// `1 / y²`, or the better edge where they lead below zero.
fn linear(points: &[(f64, f64)], exponent: f64) -> (f64, f64) {
    let mut sums = [0.0; 5];
    for (m, y) in points {
        let (x, w) = (m.powf(exponent), 1.0 / (y * y));
        for (sum, term) in sums.iter_mut().zip([w, w * x, w * x * x, w * y, w * x * y]) {
            *sum += term;
        }
    }
    let [w, x, xx, y, xy] = sums;
    let determinant = w * xx - x * x;
    let b = (w * xy - x * y) / determinant;
    if !b.is_finite() || b <= 0.0 {
        return (y / w, 0.0);
    }
    let a = (y - b * x) / w;
    if a < 0.0 { (0.0, xy / xx) } else { (a, b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [f64; 6] = [1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0];

    fn grown(counts: [f64; 6]) -> Growth {
        let points: Vec<_> = SIZES.into_iter().zip(counts).collect();
        growth(&points).expect("six sizes")
    }

    fn near(found: f64, expected: f64, relative: f64) -> bool {
        (found - expected).abs() <= relative * expected.abs()
    }

    #[test]
    fn powers_come_out_as_they_went_in_with_and_without_a_fixed_part() {
        for (a, k) in [(0.0, 1.0), (0.0, 2.0), (50_000.0, 1.0), (50_000.0, 2.0), (7.0, 1.5)] {
            let growth = grown(SIZES.map(|n| a + 0.01 * n.powf(k)));
            assert!(near(growth.exponent, k, 1e-6), "{a} {k}: {growth:?}");
            assert!((growth.fixed - a).abs() <= 1e-5 * a.max(1.0), "{a} {k}: {growth:?}");
            assert_eq!(growth.exceeds(1.1), k > 1.1, "{a} {k}: {growth:?}");
        }
    }

    #[test]
    fn fits_agree_with_scipy() {
        // scipy 1.17.1: curve_fit(lambda m,a,b,k: a+b*m**k, n/n.max(), y, sigma=y,
        //   bounds=([0,0,.05],[inf,inf,4]), xtol=1e-15, ftol=1e-15, gtol=1e-15), best of starts
        //   k0 in (.5,1,1.5,2,3)
        let cases = [
            (
                [1537.0, 4630.0, 17059.0, 66731.0, 265165.0, 1059812.0],
                [503.427081, 1059511.76, 1.00023573],
            ),
            (
                [5075.0, 14330.0, 51823.0, 209345.0, 960231.0, 5896507.0],
                [3199.37142, 5065788.7, 1.12701145],
            ),
            (
                [50010.0, 50040.0, 50163.0, 50655.0, 52621.0, 60485.0],
                [49999.3427, 10485.656, 0.999924993],
            ),
        ];
        for (counts, [fixed, growing, exponent]) in cases {
            let growth = grown(counts);
            assert!(near(growth.exponent, exponent, 1e-6), "{growth:?}");
            assert!(near(growth.fixed, fixed, 1e-5), "{growth:?}");
            assert!(near(growth.growing, growing, 1e-5), "{growth:?}");
        }
        let sort = grown([10240.0, 49152.0, 229376.0, 1048576.0, 4718592.0, 20971520.0]);
        assert!(near(sort.exponent, 1.09931449, 1e-6) && sort.fixed == 0.0, "{sort:?}");
    }

    #[test]
    fn without_a_fixed_part_two_decades_agree_with_polyfit() {
        // python3 -c 'import numpy as np; n=np.array([1024,4096,16384,65536,262144,1048576.]);
        //             print(np.polyfit(np.log(n), np.log(2*n**1.5), 1)[0])'   1.4999999999999987
        assert!(near(grown(SIZES.map(|n| 2.0 * n.powf(1.5))).exponent, 1.4999999999999987, 1e-6));
    }

    #[test]
    fn what_hardly_grows_exceeds_nothing() {
        let flat = grown([500.0; 6]);
        assert_eq!((flat.exponent, flat.growing, flat.exceeds(0.1)), (0.0, 0.0, false));
        let falling = grown([900.0, 800.0, 700.0, 600.0, 500.0, 400.0]);
        assert_eq!((falling.exponent, falling.exceeds(0.1)), (0.0, false));
        let last_step = grown([500.0, 500.0, 500.0, 500.0, 500.0, 540.0]);
        assert!(last_step.exponent > 2.0 && !last_step.exceeds(1.1), "{last_step:?}");
    }

    #[test]
    fn a_step_to_another_path_is_no_growth_and_a_slip_over_the_pages_is() {
        let step = grown([139.0, 139.0, 139.0, 139.0, 139.0, 467.0]);
        assert!(step.exponent > 2.0 && !step.exceeds(1.1), "{step:?}");
        let slip = grown(SIZES.map(|n| 139.0 + (n / 4096.0).powi(2)));
        assert!(slip.exceeds(1.1), "{slip:?}");
    }

    #[test]
    fn too_few_sizes_have_no_growth() {
        assert_eq!(growth(&[]), None);
        assert_eq!(growth(&[(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]), None);
        assert_eq!(growth(&[(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (3.0, 3.0)]), None);
        assert_eq!(growth(&[(0.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 3.0)]), None);
        assert_eq!(growth(&[(1.0, 0.0), (2.0, 2.0), (3.0, 3.0), (4.0, 3.0)]), None);
    }

    #[test]
    fn the_size_is_what_the_id_ends_with() {
        assert_eq!(size_of("payload/fill/16KiB"), Some(ByteSize::kib(16)));
        assert_eq!(size_of("network/echo/one_thread/64B"), Some(ByteSize::new(64)));
        assert_eq!((size_of("network/connect/one_thread"), size_of("pool/fill/0B")), (None, None));
        assert_eq!(workload_of("grpc/read/default/1MiB"), Some("grpc/read/default"));
        assert_eq!(workload_of("network/connect/one_thread"), None);
    }

    #[test]
    fn budgets_that_make_no_sense_are_refused() {
        let sound = r#"{"id": "a/*", "allocations": 0, "exponent": 1.1}"#;
        let budget: Budget = serde_json::from_str(sound).expect("sound");
        assert_eq!((budget.allocations, budget.exponent), (Some(0), Some(1.1)));
        for (json, complaint) in [
            (r#"{"id": "a/*"}"#, "bounds nothing"),
            (r#"{"id": "a/*", "exponent": 0}"#, "exponent = 0"),
            (r#"{"id": "a/*", "instructions_per_byte": -1.5}"#, "instructions_per_byte = -1.5"),
            (r#"{"id": "a/*", "allocations": -1}"#, "-1"),
            (r#"{"id": "a/*", "alocations": 1}"#, "alocations"),
            (r#"{"id": "a[", "allocations": 1}"#, "a["),
        ] {
            let error = serde_json::from_str::<Budget>(json).expect_err(json).to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
