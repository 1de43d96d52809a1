//! What a soak measures: operations of every kind, and how much slower the slow arm is.

/// What bounds an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The processor.
    Cpu,
    /// Memory.
    Memory,
    /// Kernel and devices.
    Io,
}

/// One id of a soak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) id: &'static str,
    pub(crate) target: &'static str,
    pub(crate) kind: Kind,
}

impl Kind {
    /// As a report says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "processor",
            Self::Memory => "memory",
            Self::Io => "input and output",
        }
    }

    /// By which share of its own time the slow arm takes longer: what must be found.
    pub(crate) fn extra_work(self) -> f64 {
        match self {
            Self::Cpu => 0.01,
            Self::Memory => 0.03,
            Self::Io => 0.05,
        }
    }

    /// Within how many seconds of measuring an id of this kind.
    pub(crate) fn budget_seconds(self) -> u64 {
        match self {
            Self::Cpu => 60,
            Self::Memory => 90,
            Self::Io => 120,
        }
    }
}

const fn subject(id: &'static str, target: &'static str, kind: Kind) -> Subject {
    Subject { id, target, kind }
}

/// Hash, sort, generated and checked content, allocation; memory; files cold and warm, TCP, gRPC.
pub(crate) const SUBJECTS: [Subject; 12] = [
    subject("reference/hash/64KiB", "wall_reference", Kind::Cpu),
    subject("reference/sort/64KiB", "wall_reference", Kind::Cpu),
    subject("payload/fill/64KiB", "wall_payload", Kind::Cpu),
    subject("payload/verify/64KiB", "wall_payload", Kind::Cpu),
    subject("pool/cycle/64KiB", "wall_pool", Kind::Cpu),
    subject("reference/copy/1MiB", "wall_reference", Kind::Memory),
    subject("reference/sum/64MiB", "wall_reference", Kind::Memory),
    subject("pool/fresh/1MiB", "wall_pool", Kind::Memory),
    subject("storage/read_warm/64KiB", "wall_storage", Kind::Io),
    subject("storage/read_cold/64KiB", "wall_storage", Kind::Io),
    subject("network/echo/one_thread/1KiB", "wall_network", Kind::Io),
    subject("grpc/write/default/64KiB", "wall_grpc", Kind::Io),
];
