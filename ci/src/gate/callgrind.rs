//! Reads callgrind's output: self instructions by function, file and line, by address where it was
//! asked for, and who called whom.
//!
//! The format is Valgrind's "Callgrind Format Specification" (version 1): names may be
//! compressed (`fn=(1) name`, later `fn=(1)`), positions may be relative (`+3`, `-2`, `*`), and
//! the line after `calls=` holds the inclusive cost of the call, which is not the caller's own.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Where instructions were executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The function whose symbol covers them; inlined code counts to the function it lies in.
    pub(crate) function: String,
    /// The source file, of the inlined code where there is some.
    pub(crate) file: String,
    /// The line in it; 0 where it is not known.
    pub(crate) line: u64,
}

/// The event that every file has.
const INSTRUCTIONS: &str = "Ir";

/// Self instructions by place.
pub(crate) type Costs = BTreeMap<Place, u64>;

/// One file's costs as they are in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    /// Self instructions.
    pub(crate) costs: BTreeMap<Spot, u64>,
    /// Inclusive instructions of calls.
    pub(crate) calls: BTreeMap<Call, u64>,
}

/// A function of an executable or library.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Function {
    /// Path of the file it was loaded from.
    pub(crate) object: Rc<str>,
    /// As callgrind names it.
    pub(crate) name: Rc<str>,
}

/// Where instructions were executed, as finely as the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) function: Function,
    pub(crate) file: Rc<str>,
    /// 0 where it is not known.
    pub(crate) line: u64,
    /// In the object; `None` unless `--dump-instr=yes`.
    pub(crate) address: Option<u64>,
}

/// A call from one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) from: Spot,
    pub(crate) to: Function,
}

/// Why a text is not callgrind's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseError {
    /// No `events:` line with `Ir`.
    #[error("it counts no instructions: no `events:` line names Ir")]
    NoInstructions,
    /// A cost line without numbers, or out of range.
    #[error("line {0} is not understood")]
    Line(usize),
}

/// Adds up the instructions of one output file.
///
/// # Errors
/// When the text is not callgrind's.
pub(crate) fn parse(text: &str) -> Result<Costs, ParseError> {
    let mut costs = Costs::new();
    for (spot, instructions) in graph(text)?.costs {
        let (function, file) = (spot.function.name.to_string(), spot.file.to_string());
        let sum = costs.entry(Place { function, file, line: spot.line }).or_default();
        *sum = sum.saturating_add(instructions);
    }
    Ok(costs)
}

/// All that one output file says.
///
/// # Errors
/// When the text is not callgrind's.
pub(crate) fn graph(text: &str) -> Result<Graph, ParseError> {
    graph_of(text, INSTRUCTIONS)?.ok_or(ParseError::NoInstructions)
}

/// How often an event happened inside calls of the operation that a bench counts, what it calls
/// included; `None` when the file does not count the event or holds no such call.
///
/// Callgrind counts system calls whether collection is switched on or not, so the total of a file
/// holds those of set-up and warm-up too. The cost of a call is what happened between its begin and
/// its end.
///
/// # Errors
/// When the text is not callgrind's.
pub(crate) fn of_operation(text: &str, event: &str) -> Result<Option<u64>, ParseError> {
    let Some(instructions) = graph_of(text, INSTRUCTIONS)? else {
        return Err(ParseError::NoInstructions);
    };
    if !instructions.calls.keys().any(|call| is_operation(&call.to)) {
        return Ok(None);
    }
    Ok(graph_of(text, event)?.map(|graph| {
        graph.calls.iter().filter(|(call, _)| is_operation(&call.to)).map(|(_, &cost)| cost).sum()
    }))
}

/// Whether it is what gungraun wraps the measured function in: counting begins and ends with it.
pub(crate) fn is_operation(function: &Function) -> bool {
    let name = function.name.split_once("::__gungraun_wrapper_mod::");
    name.is_some_and(|(_, name)| !name.contains("::"))
}

/// All that one output file says of one event; `None` when it does not count it.
fn graph_of(text: &str, event: &str) -> Result<Option<Graph>, ParseError> {
    let mut reader = Reader { wanted: event.to_owned(), ..Reader::default() };
    for (number, line) in text.lines().enumerate() {
        reader.read(line).ok_or(ParseError::Line(number + 1))?;
    }
    Ok(reader.event.map(|_| reader.graph))
}

/// Compressed names by their numbers.
type Names = HashMap<u64, Rc<str>>;

#[derive(Debug, Default)]
struct Reader {
    /// The event whose costs are read.
    wanted: String,
    /// Columns before the costs: `instr`, `line`; one when the file does not say.
    positions: Option<Vec<String>>,
    /// Its column among the costs.
    event: Option<usize>,
    functions: Names,
    files: Names,
    objects: Names,
    at: Spot,
    /// The previous position, by column.
    previous: Vec<u64>,
    /// The callee of the next call.
    callee: Rc<str>,
    /// Its object, where it is another than the caller's.
    callee_object: Option<Rc<str>>,
    /// Whether the next cost line is a call's.
    call: bool,
    graph: Graph,
}

impl Reader {
    /// Reads one line; `None` when it makes no sense.
    fn read(&mut self, line: &str) -> Option<()> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Some(());
        }
        if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            return self.cost(line);
        }
        if let Some((key, value)) = line.split_once('=') {
            self.name(key.trim(), value.trim());
        } else if let Some((key, value)) = line.split_once(':') {
            self.header(key.trim(), value.trim());
        }
        Some(())
    }

    fn header(&mut self, key: &str, value: &str) {
        match key {
            "positions" => {
                self.positions = Some(value.split_whitespace().map(str::to_owned).collect());
            }
            "events" => {
                self.event = value.split_whitespace().position(|event| event == self.wanted);
            }
            _ => {}
        }
    }

    fn name(&mut self, key: &str, value: &str) {
        match key {
            "fn" => self.at.function.name = expand(&mut self.functions, value),
            "cfn" => self.callee = expand(&mut self.functions, value),
            "ob" => self.at.function.object = expand(&mut self.objects, value),
            "cob" => self.callee_object = Some(expand(&mut self.objects, value)),
            "fl" | "fi" | "fe" => self.at.file = expand(&mut self.files, value),
            "cfi" | "cfl" => {
                let _callee = expand(&mut self.files, value);
            }
            "calls" => self.call = true,
            // Jumps and what later versions add are no costs.
            _ => {}
        }
    }

    fn cost(&mut self, line: &str) -> Option<()> {
        let columns = self.positions.as_ref().map_or(1, Vec::len);
        let mut words = line.split_whitespace();
        let mut position = Vec::with_capacity(columns);
        for column in 0..columns {
            let previous = self.previous.get(column).copied().unwrap_or(0);
            position.push(absolute(words.next()?, previous)?);
        }
        self.previous = position;
        // Trailing zero costs are left out.
        let instructions: u64 = match self.event.and_then(|event| words.nth(event)) {
            Some(word) => word.parse().ok()?,
            None => 0,
        };
        let call = std::mem::take(&mut self.call);
        let callee_object = if call { self.callee_object.take() } else { None };
        if instructions == 0 {
            return Some(());
        }
        self.at.line = self.column("line").unwrap_or(0);
        self.at.address = self.column("instr");
        let cost = if call {
            let object = callee_object.unwrap_or_else(|| Rc::clone(&self.at.function.object));
            let to = Function { object, name: Rc::clone(&self.callee) };
            self.graph.calls.entry(Call { from: self.at.clone(), to }).or_default()
        } else {
            self.graph.costs.entry(self.at.clone()).or_default()
        };
        *cost = cost.checked_add(instructions)?;
        Some(())
    }

    /// The number in a column of the position; a file that does not name any has lines.
    fn column(&self, name: &str) -> Option<u64> {
        let column = match &self.positions {
            Some(names) => names.iter().position(|column| column == name)?,
            None if name == "line" => 0,
            None => return None,
        };
        self.previous.get(column).copied()
    }
}

/// A position: absolute, relative to the previous one, or the same.
fn absolute(word: &str, previous: u64) -> Option<u64> {
    let number = |digits: &str| match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    match word.as_bytes().first()? {
        b'*' => Some(previous),
        b'+' => previous.checked_add(number(&word[1..])?),
        b'-' => previous.checked_sub(number(&word[1..])?),
        _ => number(word),
    }
}

/// `(1) name` defines, `(1)` repeats, anything else is the name itself.
fn expand(names: &mut Names, value: &str) -> Rc<str> {
    let compressed = value.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let Some((number, name)) = compressed.and_then(|(n, name)| Some((n.parse().ok()?, name)))
    else {
        return value.into();
    };
    match name.trim() {
        "" => names.get(&number).cloned().unwrap_or_else(|| value.into()),
        name => {
            let name: Rc<str> = name.into();
            names.insert(number, Rc::clone(&name));
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(function: &str, file: &str, line: u64) -> Place {
        Place { function: function.into(), file: file.into(), line }
    }

    const COMPRESSED: &str = "# callgrind format\n\
        version: 1\npositions: line\nevents: Dr Ir Dw\nsummary: 1 2 3\n\n\
        fl=(1) main.rs\nfn=(1) main\n16 0 40\ncfi=(2) lib.rs\ncfn=(2) work\ncalls=1 50\n\
        16 9 400 9\n+2 0 4\nfi=(2)\n* 1 6 1\nfe=(1)\n-1 1\n\nfl=(2)\nfn=(2)\n51 9 100 9\n\
        calls=3 51\n* 9 300 9\n";

    #[test]
    fn self_costs_are_kept_and_the_cost_of_calls_is_not() {
        let costs = parse(COMPRESSED).expect("callgrind's");
        let expected = [
            (place("main", "lib.rs", 18), 6),
            (place("main", "main.rs", 16), 40),
            (place("main", "main.rs", 18), 4),
            (place("work", "lib.rs", 51), 100),
        ];
        assert_eq!(costs.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn events_of_the_operation_are_those_inside_its_call() {
        let text = "events: Ir sysCount\nfn=t::run\n9 40 2\n\
                    cfn=t::__gungraun_wrapper_mod::op\ncalls=1 1\n9 70 1\n\
                    fn=t::__gungraun_wrapper_mod::op\n1 60\ncfn=yield\ncalls=1 1\n1 10 1\n\
                    fn=yield\n2 10 3\n";
        assert_eq!(of_operation(text, "sysCount"), Ok(Some(1)));
        assert_eq!(of_operation(text, "Ir"), Ok(Some(70)));
        assert_eq!(of_operation(text, "sysTime"), Ok(None));
        let idle = text.replace("9 70 1", "9 70");
        assert_eq!(of_operation(&idle, "sysCount"), Ok(Some(0)));
        let never = "events: Ir sysCount\nfn=t::run\n9 40 2\n";
        assert_eq!(of_operation(never, "sysCount"), Ok(None));
        assert_eq!(of_operation("fn=a\n1 1\n", "Ir"), Err(ParseError::NoInstructions));
    }

    #[test]
    fn names_without_compression_and_instruction_addresses_are_read() {
        let text =
            "positions: instr line\nevents: Ir\nfl=a.rs\nfn=(below main)\n0x10 7 3\n+4 * 2\n";
        let costs = parse(text).expect("callgrind's");
        assert_eq!(costs.into_iter().collect::<Vec<_>>(), [(place("(below main)", "a.rs", 7), 5)]);
    }

    #[test]
    fn calls_lead_from_an_address_to_a_function_of_another_object() {
        let text = "positions: instr line\nevents: Ir\nob=(1) /bin/a\nfl=(1) a.rs\nfn=(1) main\n\
                    0x10 7 3\ncob=(2) /lib/c.so\ncfi=(2) c.c\ncfn=(2) calloc\ncalls=1 0x99 5\n\
                    +4 8 50\ncfn=(3) near\ncalls=2 0x20 9\n* * 20\n";
        let graph = graph(text).expect("callgrind's");
        let calls: Vec<_> = graph
            .calls
            .iter()
            .map(|(call, &cost)| (call.from.address, &*call.to.object, &*call.to.name, cost))
            .collect();
        let expected =
            [(Some(0x14), "/bin/a", "near", 20), (Some(0x14), "/lib/c.so", "calloc", 50)];
        assert_eq!(calls, expected);
        let costs: Vec<_> = graph.costs.iter().map(|(s, &c)| (s.address, s.line, c)).collect();
        assert_eq!(costs, [(Some(0x10), 7, 3)]);
    }

    #[test]
    fn what_is_not_callgrinds_is_an_error() {
        assert_eq!(parse(""), Err(ParseError::NoInstructions));
        assert_eq!(parse("events: Dr\n1 2\n"), Err(ParseError::NoInstructions));
        assert_eq!(parse("events: Ir\nfn=a\n-1 5\n"), Err(ParseError::Line(3)));
        assert_eq!(parse("events: Ir\n1 five\n"), Err(ParseError::Line(2)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\PC{0,20}|[0-9+*= ():x\n-]{0,20}|fn=|events: Ir\n){0,12}") {
            let _costs = parse(&text);
        }

        #[test]
        fn the_sum_of_self_costs_is_what_was_written(
            costs in prop::collection::vec((0u64..5, 1u64..1000), 1..20),
        ) {
            let mut text = "events: Ir\nfl=f\n".to_owned();
            for (line, cost) in &costs {
                text += &format!("fn=f{line}\n{line} {cost}\ncalls=1 1\n{line} 77\n");
            }
            let total: u64 = parse(&text).expect("callgrind's").values().sum();
            prop_assert_eq!(total, costs.iter().map(|(_, cost)| cost).sum::<u64>());
        }
    }
}
