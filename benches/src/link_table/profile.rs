//! The link that a command line describes: one that has a name, a trace, or numbers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bench_core::units::ByteSize;
use bench_network::Error;
use bench_network::link::{
    Capacity, DeliveryTrace, Direction, Jitter, LinkProfile, Loss, MTU, Queue, Source, named,
};
use clap::Args;

/// How the id of a link begins whose numbers are the user's; the link and the numbers follow, so that no
/// two of them are one to a comparison.
const OWN: &str = "own";
/// What is taken where nothing is said.
const DEFAULT: &str = "lte";
const QUEUE_PACKETS: u64 = 50;

/// A link as flags; each changes one number of the link that has the name, or of one that does nothing.
#[derive(Args, Clone, Debug, Default)]
pub struct LinkFlags {
    /// A link by its name, as lte, or rtt_50ms for a round trip and nothing else [default: lte]
    #[arg(long, value_name = "NAME")]
    link: Option<String>,
    /// The round trip, half of it each way, as in 50ms
    #[arg(long, value_name = "TIME", value_parser = time)]
    rtt: Option<Duration>,
    /// The rate of IP packets both ways, as in 384kbit, 50mbit or 1gbit
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<u64>,
    /// The rate from the client to the server
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "trace_up")]
    rate_up: Option<u64>,
    /// The rate from the server to the client
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "trace_down")]
    rate_down: Option<u64>,
    /// A delivery trace in Mahimahi's format in place of a rate, from the client to the server
    #[arg(long, value_name = "FILE")]
    trace_up: Option<PathBuf>,
    /// A delivery trace from the server to the client
    #[arg(long, value_name = "FILE")]
    trace_down: Option<PathBuf>,
    /// How much may wait for the rate, both ways, as in 64KiB [default: 50 packets, or
    /// what one round trip carries where that is more]
    #[arg(long, value_name = "SIZE")]
    queue: Option<ByteSize>,
    /// The share of packets that are lost both ways, 0 to 1
    #[arg(long, value_name = "SHARE")]
    loss: Option<f64>,
    /// How many packets are lost in a row, in the mean (Gilbert's chain) [default: each by itself]
    #[arg(long, value_name = "PACKETS", requires = "loss", value_parser = burst)]
    burst: Option<f64>,
    /// By how much the delay of each packet differs at most, as in 2ms
    #[arg(long, value_name = "TIME", value_parser = time)]
    jitter: Option<Duration>,
}

impl LinkFlags {
    /// The link.
    ///
    /// # Errors
    /// A name that nobody has, a trace that cannot be read, or numbers that no link has.
    pub fn profile(&self) -> Result<LinkProfile, Error> {
        let changes = self.changes();
        let own = !changes.is_empty() || self.trace_up.is_some() || self.trace_down.is_some();
        let mut link = match (&self.link, own) {
            (Some(name), _) => named::find(name)?,
            (None, false) => named::find(DEFAULT)?,
            (None, true) => LinkProfile::round_trip(Duration::ZERO),
        };
        if own {
            self.change(&mut link)?;
            let changes: Vec<[String; 2]> = changes.into_iter().chain(traces(&link)).collect();
            let told = changes.iter().map(|change| change.join(" ")).collect::<Vec<_>>().join(", ");
            let base = self.link.as_deref().unwrap_or("a link that does nothing");
            let source = format!("{base} with {told} of the command line");
            link.source = Source::OwnChoice(source.into());
            let words = std::iter::once(OWN).chain(self.link.as_deref());
            let words = words.chain(changes.iter().flatten().map(|word| &**word));
            link.name = words.collect::<Vec<_>>().join("_").into();
        }
        link.check()?;
        Ok(link)
    }

    fn change(&self, link: &mut LinkProfile) -> Result<(), Error> {
        if let Some(rtt) = self.rtt {
            (link.up.delay, link.down.delay) = (rtt - rtt / 2, rtt / 2);
        }
        let round_trip = link.base_round_trip();
        let ways = [
            (&mut link.up, self.rate_up, &self.trace_up),
            (&mut link.down, self.rate_down, &self.trace_down),
        ];
        for (way, rate, trace) in ways {
            let changed = match (trace, rate.or(self.rate)) {
                (Some(file), _) => Some(Capacity::Trace(Arc::new(DeliveryTrace::read(file)?))),
                (None, rate) => rate.map(Capacity::kbit),
            };
            if let Some(capacity) = changed {
                // As of links that have a name; the queue of another rate would be another one.
                let product = Queue::Bdp(1.0).bytes(&capacity, round_trip).unwrap_or(0);
                let bytes = product.max(QUEUE_PACKETS * u64::from(MTU));
                (way.capacity, way.queue) = (capacity, Queue::Bytes(ByteSize::new(bytes)));
            }
            self.change_both(way);
        }
        Ok(())
    }

    fn change_both(&self, way: &mut Direction) {
        if let Some(queue) = self.queue {
            way.queue = Queue::Bytes(queue);
        }
        if let Some(share) = self.loss {
            way.loss = self.burst.map_or(Loss::Bernoulli(share), |burst| bursts(share, burst));
        }
        if let Some(jitter) = self.jitter {
            way.jitter = Jitter::uniform(jitter);
        }
    }

    /// Which numbers are the user's, beside traces.
    fn changes(&self) -> Vec<[String; 2]> {
        let time = |time: Duration| format!("{time:?}").replace('µ', "u");
        let kbit = |rate: u64| format!("{rate}kbit");
        let given = [
            ("rtt", self.rtt.map(time)),
            ("rate", self.rate.map(kbit)),
            ("up", self.rate_up.map(kbit)),
            ("down", self.rate_down.map(kbit)),
            ("queue", self.queue.map(|queue| queue.to_string())),
            ("loss", self.loss.map(|loss| loss.to_string())),
            ("burst", self.burst.map(|burst| burst.to_string())),
            ("jitter", self.jitter.map(time)),
        ];
        given.into_iter().filter_map(|(name, given)| Some([name.to_owned(), given?])).collect()
    }
}

/// The traces by what is in them: a file of the same name may be another one tomorrow.
fn traces(link: &LinkProfile) -> Vec<[String; 2]> {
    let trace = |(name, way): (&str, &Direction)| match &way.capacity {
        Capacity::Trace(trace) => Some([name.to_owned(), format!("trace-{:08x}", trace.digest())]),
        Capacity::Unlimited | Capacity::Fixed(_) => None,
    };
    [("up", &link.up), ("down", &link.down)].into_iter().filter_map(trace).collect()
}

/// The chain that loses this share of packets, so many in a row: it goes back to good with `r = 1 /
/// burst`, and to bad with the `p` for which `p / (p + r)` is the share. A share that no such chain has
/// becomes a probability above 1, which the profile's check refuses.
fn bursts(share: f64, burst: f64) -> Loss {
    let r = 1.0 / burst;
    Loss::bursts(share * r / (1.0 - share), r)
}

fn time(text: &str) -> Result<Duration, String> {
    let link = named::find(&format!("rtt_{text}")).map_err(|error| error.to_string())?;
    Ok(link.base_round_trip())
}

/// In kbit/s.
fn rate(text: &str) -> Result<u64, String> {
    let units = [("kbit", 1.0), ("mbit", 1e3), ("gbit", 1e6)];
    let found = units.into_iter().find_map(|(unit, kilobits)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        // Nothing of a link here is faster than a terabit.
        let kilobits = (number * kilobits).round();
        (1.0..=1e9).contains(&kilobits).then_some(kilobits as u64)
    });
    found.ok_or_else(|| "write a rate of 1kbit to 1000gbit, as in 384kbit or 1.5mbit".to_owned())
}

fn burst(text: &str) -> Result<f64, String> {
    let burst = text.parse().ok().filter(|burst: &f64| (1.0..=1e6).contains(burst));
    burst.ok_or_else(|| "write 1 or more, as in 4".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        link: LinkFlags,
    }

    fn link(line: &str) -> Result<LinkProfile, String> {
        let words = std::iter::once("link").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.link.profile().map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_is_that_link_and_a_number_changes_it() {
        assert_eq!(link("").expect("the default").name, "lte");
        let wifi = link("--link wifi").expect("known");
        assert_eq!(wifi, named::find("wifi").expect("known"));
        let changed = link("--link wifi --rtt 20ms").expect("sound");
        let name = "own_wifi_rtt_20ms";
        assert_eq!((&*changed.name, changed.base_round_trip().as_millis()), (name, 20));
        assert_eq!(changed.up.loss, wifi.up.loss);
        assert!(changed.source.to_string().contains("wifi with rtt 20ms of the command line"));
    }

    #[test]
    fn two_links_of_ones_own_have_two_names() {
        let lines = ["--rtt 1ms", "--rtt 2ms", "--rtt 1ms --loss 0.1", "--rtt 1ms --link wifi"];
        let names: std::collections::BTreeSet<_> =
            lines.into_iter().map(|line| link(line).expect("sound").name).collect();
        assert_eq!(names.len(), lines.len(), "{names:?}");
        let line = "--rtt 0.25ms --rate 8mbit --rate-up 1mbit --queue 64KiB --loss 0.01 --burst 4 \
                    --jitter 2ms";
        let name =
            "own_rtt_250us_rate_8000kbit_up_1000kbit_queue_64KiB_loss_0.01_burst_4_jitter_2ms";
        assert_eq!(link(line).expect("sound").name, name);
    }

    #[test]
    fn numbers_alone_are_a_link() {
        let found = link("--rtt 21ms --rate 1.5mbit --rate-up 384kbit --loss 0.01 --burst 4")
            .expect("sound");
        assert_eq!(found.up.capacity, Capacity::kbit(384));
        assert_eq!(found.down.capacity, Capacity::kbit(1_500));
        assert_eq!((found.up.delay.as_micros(), found.down.delay.as_micros()), (10_500, 10_500));
        let mean = found.up.loss.mean().expect("has one");
        assert!((mean - 0.01).abs() < 1e-12, "{mean}");
        assert_eq!(found.up.loss.mean_burst(), Some(4.0));
        // 50 packets; one round trip carries 1008 bytes up and 3937 down.
        assert_eq!(found.queue_bytes(), [Some(75_000); 2]);
        let thick = link("--rtt 20ms --rate 1gbit").expect("sound");
        assert_eq!(thick.queue_bytes(), [Some(2_500_000); 2]);
        assert_eq!(link("--rtt 1ms").expect("sound").up.capacity, Capacity::Unlimited);
    }

    #[test]
    fn a_trace_is_read_and_garbage_named_by_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("write");
            path.display().to_string()
        };
        let good = file("good", "1\n2\n3\n");
        let found = link(&format!("--trace-down {good} --rtt 20ms")).expect("sound");
        assert_eq!(found.down.capacity.bits_per_second(), Some(12_032_000));
        assert_eq!(found.up.capacity, Capacity::Unlimited);
        // Another trace of that mean has another name.
        let other = file("other", "2\n2\n3\n");
        let other = link(&format!("--trace-down {other} --rtt 20ms")).expect("sound");
        assert_eq!(other.down.capacity.bits_per_second(), Some(12_032_000));
        assert!(other.name != found.name && found.name.starts_with("own_rtt_20ms_down_trace-"));
        let bad = file("bad", "1\n2\nx\n");
        let text = link(&format!("--trace-up {bad}")).expect_err("garbage");
        assert!(text.contains("line 3 of the trace") && text.contains("'x'"), "{text}");
        let text = link("--trace-up /nowhere/cell.up").expect_err("no file");
        assert!(text.starts_with("failed to read the trace /nowhere/cell.up"), "{text}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_a_sentence() {
        for (line, part) in [
            ("--link ltee", "did you mean lte?"),
            ("--rtt -5ms", "it is negative"),
            ("--rtt=-5ms", "it is negative"),
            ("--rtt 50", "the unit is not"),
            ("--rtt 121s", "it is too long"),
            ("--rate 10", "write a rate of 1kbit to 1000gbit"),
            ("--rate 0kbit", "write a rate of 1kbit to 1000gbit"),
            ("--rate nanmbit", "write a rate of 1kbit to 1000gbit"),
            ("--loss 1.5", "between 0 and 1"),
            ("--loss nan", "between 0 and 1"),
            ("--loss 0.9 --burst 2", "between 0 and 1"),
            ("--burst 4", "--loss <SHARE>"),
            ("--loss 0.1 --burst 0.5", "write 1 or more"),
            ("--link lte --queue 1000", "at least 1500 bytes, one packet"),
            ("--rate 1mbit --queue 1KiB", "at least 1500 bytes, one packet"),
            ("--rate-up 1mbit --trace-up f", "cannot be used with"),
        ] {
            let text = link(line).err().unwrap_or_else(|| panic!("{line} is taken"));
            let one = text.contains(part) || line == "--rtt -5ms" && text.contains("-5");
            assert!(one, "{line}: {text}");
        }
    }
}
