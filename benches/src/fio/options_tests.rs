//! What options are refused, ignored, and make of a label.

use super::*;

fn set(key: &str, value: &str) -> Result<Options, String> {
    let mut options = Options::default();
    options.set(key, Some(value)).map(|_| options)
}

#[test]
fn values_that_make_no_sense_are_refused_in_one_sentence() {
    for (key, value, told) in [
        ("rw", "trim", "'trim' is no pattern"),
        ("bs", "4k,8k", "is no size"),
        ("ioengine", "libaio", "write one of: psync"),
        ("iodepth", "257", "from 1 to 256"),
        ("filename", "a:b", "is no path of one file"),
        ("direct", "yes", "neither 0 nor 1"),
        ("verify", "crc32c", "the option 'verify' is not known here"),
    ] {
        let error = set(key, value).expect_err(key);
        assert!(error.contains(told), "{error}");
    }
    assert!(set("ramp_time", "soon").expect_err("no time").contains("is no time"));
    let endless = set("time_based", "1").expect("known");
    assert!(endless.cell().expect_err("endless").contains("say runtime as well"));
    let big = set("bs", "1g").expect("known");
    assert!(big.cell().expect_err("too big").contains("does not fit a file of 256MiB"));
}

#[test]
fn options_that_change_nothing_say_why() {
    let mut options = Options::default();
    assert_eq!(options.set("thread", None), Ok(Taken::Ignored("jobs are threads")));
    assert_eq!(options, Options::default());
}

#[test]
fn switches_that_are_always_on_cannot_be_off() {
    for key in ["thread", "norandommap", "randrepeat"] {
        let told = set(key, "0").expect_err(key);
        assert!(told.starts_with(&format!("{key}=0 is not to be had here")), "{told}");
        assert_eq!(set(key, "1"), Ok(Options::default()));
        set(key, "maybe").expect_err("no switch");
    }
}

#[test]
fn a_file_that_others_may_shorten_is_not_mapped() {
    let mut options = set("ioengine", "mmap").expect("known");
    options.cell().expect("a file of our own");
    options.set("filename", Some("theirs")).expect("a path");
    let told = options.cell().expect_err("theirs");
    assert!(told.contains("leave out filename") && told.contains("directory"), "{told}");
}

#[test]
fn jobs_that_differ_are_called_differently_and_the_same_the_same() {
    let label = |pairs: &[(&str, &str)]| {
        let mut options = Options::default();
        for (key, value) in pairs {
            options.set(key, Some(value)).expect(key);
        }
        options.label()
    };
    assert_eq!(label(&[("iodepth", "16")]), label(&[]), "psync has one operation");
    let write = [("rw", "randrw"), ("ioengine", "io_uring")];
    let others = [
        ("iodepth", "2"),
        ("fsync", "8"),
        ("fsync", "9"),
        ("fdatasync", "8"),
        ("end_fsync", "1"),
        ("invalidate", "0"),
        ("rwmixread", "70"),
        ("loops", "2"),
        ("time_based", "1"),
        ("direct", "1"),
    ];
    let mut labels: Vec<String> =
        others.iter().map(|&other| label(&[write[0], write[1], other])).collect();
    labels.push(label(&write));
    let known: std::collections::BTreeSet<&String> = labels.iter().collect();
    assert_eq!(known.len(), labels.len(), "{labels:?}");
    assert_eq!(
        label(&[("rw", "write"), ("fsync", "8"), ("end_fsync", "1"), ("invalidate", "0")]),
        "write/psync/bs4KiB/qd1/jobs1/fsync8/end_fsync/warm"
    );
}

#[test]
fn a_write_is_followed_by_one_kind_of_sync() {
    let mut options = Options::default();
    let mut set = |key, value| options.set(key, Some(value)).map(|_| ());
    set("fdatasync", "4").expect("sound");
    set("fsync", "0").expect("it takes nothing back of the other");
    let error = set("fsync", "8").expect_err("both");
    assert!(error.contains("say one of them"), "{error}");
    set("fdatasync", "0").expect("none");
    set("fsync", "8").expect("now it is the only one");
    assert_eq!((options.sync_every, options.sync_data), (8, false));
}

#[test]
fn a_job_without_a_name_is_called_by_what_it_does() {
    let mut options = Options::default();
    for (key, value) in [("rw", "randrw"), ("ioengine", "io_uring"), ("iodepth", "16")] {
        options.set(key, Some(value)).expect(key);
    }
    options.set("direct", None).expect("on");
    assert_eq!(options.label(), "randrw/io_uring_direct/bs4KiB/qd16/jobs1/mix50");
    options.name = "mine".to_owned();
    assert_eq!(options.label(), "mine");
}
