//! What the scheduler says of a thread of this process.

use std::fs;

/// Nanoseconds of a thread since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// On a processor.
    pub(crate) ran_ns: u64,
    /// Ready to run, and in the queue for a processor.
    pub(crate) waited_ns: u64,
}

/// Of the thread of this number; `None` where there is none, or where the kernel keeps no accounts.
pub(crate) fn account(number: i32) -> Option<Account> {
    // Ran, waited, number of times.
    parse(&fs::read_to_string(format!("/proc/self/task/{number}/schedstat")).ok()?)
}

fn parse(text: &str) -> Option<Account> {
    let mut fields = text.split_whitespace().map(str::parse);
    Some(Account { ran_ns: fields.next()?.ok()?, waited_ns: fields.next()?.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_or_unknown() {
        assert_eq!(parse("12 34 5\n"), Some(Account { ran_ns: 12, waited_ns: 34 }));
        assert_eq!((parse("12"), parse("a b"), parse("")), (None, None, None));
    }
}
