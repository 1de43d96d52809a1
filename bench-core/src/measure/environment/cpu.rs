//! The processor: its name, the flags that choose glibc's string functions, and what may change
//! its clock.

use std::collections::BTreeSet;
use std::fs;

use super::{flag, read_text};

/// The flags that the selectors in glibc 2.26 to 2.42 look at (`sysdeps/x86_64/multiarch` and
/// `sysdeps/aarch64/multiarch`), by the names of `/proc/cpuinfo`. A vector's worth of copy is one
/// instruction or a hundred depending on these, so counts compare only where they are equal.
const IFUNC_FLAGS: [&str; 24] = [
    "abm", "asimd", "avx", "avx2", "avx512bw", "avx512f", "avx512vl", "bmi1", "bmi2", "erms",
    "fma", "fma4", "fsrm", "mops", "movbe", "mte", "popcnt", "rtm", "sse4_1", "sse4_2", "ssse3",
    "sve", "sve2", "xsavec",
];

/// What firmware calls itself on a virtual machine.
const HYPERVISORS: [&str; 9] = [
    "qemu",
    "kvm",
    "vmware",
    "virtualbox",
    "xen",
    "bochs",
    "virtual machine",
    "google compute",
    "openstack",
];

/// The value of the first `name : value` line.
fn field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then_some(value.trim())
    })
}

/// All flags of the first processor: `flags` on x86, `Features` on ARM.
fn flags(cpuinfo: &str) -> Option<impl Iterator<Item = &str>> {
    Some(field(cpuinfo, "flags").or_else(|| field(cpuinfo, "Features"))?.split_whitespace())
}

/// The model name; on ARM, which has none, the codes of implementer and part. glibc looks at
/// these too.
pub(super) fn model(cpuinfo: &str) -> Option<String> {
    if let Some(name) = field(cpuinfo, "model name") {
        return Some(name.to_owned());
    }
    let implementer = field(cpuinfo, "CPU implementer")?;
    let part = field(cpuinfo, "CPU part")?;
    Some(format!("implementer {implementer} part {part}"))
}

/// The flags by which glibc chooses, sorted, each once; `abm` under its usual name, `lzcnt`.
pub(super) fn features(cpuinfo: &str) -> Vec<String> {
    let chosen: BTreeSet<&str> = flags(cpuinfo)
        .into_iter()
        .flatten()
        .filter(|flag| IFUNC_FLAGS.contains(flag))
        .map(|flag| if flag == "abm" { "lzcnt" } else { flag })
        .collect();
    chosen.into_iter().map(str::to_owned).collect()
}

/// Whether this is a virtual machine. x86 has a flag for it, and a hypervisor that hides the flag
/// seldom hides its name in the firmware. Only x86 without either is taken for a machine of its
/// own: elsewhere a name that is not known here proves nothing.
pub(super) fn virtualised(cpuinfo: &str, firmware: Option<&str>) -> Option<bool> {
    let named = firmware.map(|firmware| {
        let firmware = firmware.to_lowercase();
        HYPERVISORS.iter().any(|name| firmware.contains(name))
    });
    let x86 = field(cpuinfo, "flags").is_some();
    let flagged = x86 && flags(cpuinfo)?.any(|flag| flag == "hypervisor");
    match named {
        _ if flagged => Some(true),
        Some(true) => Some(true),
        Some(false) if x86 => Some(false),
        _ => None,
    }
}

/// The frequency governor; all of them where cores differ.
pub(super) fn governor() -> Option<String> {
    let policies = fs::read_dir("/sys/devices/system/cpu/cpufreq").ok()?;
    let governors: BTreeSet<String> = policies
        .filter_map(|policy| read_text(policy.ok()?.path().join("scaling_governor")))
        .collect();
    (!governors.is_empty()).then(|| governors.into_iter().collect::<Vec<_>>().join(","))
}

/// Whether the clock may exceed its base.
pub(super) fn turbo() -> Option<bool> {
    let no_turbo = read_text("/sys/devices/system/cpu/intel_pstate/no_turbo");
    let boost = || read_text("/sys/devices/system/cpu/cpufreq/boost");
    turbo_of(no_turbo.as_deref(), boost().as_deref())
}

/// Intel's driver has a switch that turns it off, all others one that turns it on.
fn turbo_of(no_turbo: Option<&str>, boost: Option<&str>) -> Option<bool> {
    no_turbo.and_then(flag).map(|off| !off).or_else(|| boost.and_then(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\n\
        model name\t: Intel(R) Xeon(R) Processor @ 2.60GHz\nflags\t\t: fpu sse2 ssse3 sse4_2 \
        movbe avx hypervisor abm bmi1 avx2 bmi2 erms rtm avx512f avx512bw avx512vl fsrm\n\
        bugs\t\t: spectre_v1\n\nprocessor\t: 1\nmodel name\t: another\nflags\t\t: fpu\n";

    const ARM64: &str = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd evtstrm aes \
        atomics sve mops\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\n\
        CPU part\t: 0xd0c\nCPU revision\t: 1\n";

    #[test]
    fn x86_gives_its_name_and_the_flags_that_choose_string_functions() {
        assert_eq!(model(X86).as_deref(), Some("Intel(R) Xeon(R) Processor @ 2.60GHz"));
        let expected = "avx avx2 avx512bw avx512f avx512vl bmi1 bmi2 erms fsrm lzcnt movbe rtm \
            sse4_2 ssse3";
        assert_eq!(features(X86).join(" "), expected);
    }

    #[test]
    fn arm_gives_its_codes_and_flags() {
        assert_eq!(model(ARM64).as_deref(), Some("implementer 0x41 part 0xd0c"));
        assert_eq!(features(ARM64), ["asimd", "mops", "sve"]);
    }

    #[test]
    fn a_virtual_machine_is_known_by_flag_or_firmware() {
        assert_eq!(virtualised(X86, None), Some(true));
        let unflagged = X86.replace("hypervisor ", "");
        assert_eq!(virtualised(&unflagged, Some("QEMU")), Some(true));
        assert_eq!(virtualised(&unflagged, Some("Dell PowerEdge")), Some(false));
        assert_eq!(virtualised(&unflagged, None), None);
        assert_eq!(virtualised(ARM64, Some("QEMU Standard PC")), Some(true));
        assert_eq!(virtualised(ARM64, Some("Ampere Mt. Jade")), None);
        assert_eq!(virtualised(ARM64, None), None);
    }

    #[test]
    fn an_unknown_processor_gives_nothing() {
        assert_eq!(model(""), None);
        assert!(features("cpu : riscv\n").is_empty());
        assert_eq!(virtualised("", None), None);
    }

    #[test]
    fn turbo_is_read_from_either_switch() {
        assert_eq!(turbo_of(Some("0"), None), Some(true));
        assert_eq!(turbo_of(Some("1"), Some("1")), Some(false));
        assert_eq!(turbo_of(None, Some("1")), Some(true));
        assert_eq!(turbo_of(None, None), None);
    }
}
