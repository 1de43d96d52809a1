//! Call stacks of both sides in one tree.
//!
//! Callgrind keeps who called whom and at what cost, not whole stacks. The cost of a function that
//! is called from several places is therefore shared out among them in proportion to what their
//! calls cost, which is exact when it does the same for all of them and an estimate otherwise. A
//! function that is on the stack already is not entered again, directly or through others: its
//! recursive calls are left out of the proportions, so a cycle costs its first caller what it
//! costs and no stack is endless.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::profile::{Item, Profile};
use crate::gate::callgrind::{Function, is_operation};

/// Stacks that cost a smaller share of the operation are left to their caller: they would be
/// thinner than a hair.
const SHARE_MIN: f64 = 5e-5;
/// No program of ours nests deeper, and a stack of our own bounds how deep we follow.
const DEPTH_MAX: usize = 256;

/// One function at one place of the tree; the root is the operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    /// Inclusive instructions before.
    pub(crate) base: f64,
    /// Inclusive instructions after.
    pub(crate) head: f64,
    /// By name.
    pub(crate) children: BTreeMap<Rc<str>, Node>,
}

/// The side that a cost is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Base,
    Head,
}

/// The stacks of both profiles, one over the other.
pub(crate) fn stacks(base: &Profile, head: &Profile) -> Node {
    let mut root = Node::default();
    for (profile, side) in [(base, Side::Base), (head, Side::Head)] {
        let total = profile.instructions() as f64;
        root.add(side, total);
        let mut walk = Walk {
            profile,
            side,
            least: total * SHARE_MIN,
            path: Vec::new(),
            roots: roots(profile),
        };
        walk.start(&mut root, total);
    }
    root
}

/// The operation itself; where the profile does not have it, all that nobody calls.
fn roots(profile: &Profile) -> Vec<Function> {
    // Not the closures in it.
    let is_operation = |function: &&Function| is_operation(function);
    let operation: Vec<Function> = profile.functions.keys().filter(is_operation).cloned().collect();
    if !operation.is_empty() {
        return operation;
    }
    let callees = || profile.functions.values().flatten().filter_map(|item| item.callee.as_ref());
    let called = |function: &&Function| callees().any(|callee| callee == *function);
    let all = || profile.functions.keys();
    let uncalled: Vec<Function> = all().filter(|function| !called(function)).cloned().collect();
    // A profile that is one cycle has no beginning; any will do.
    if uncalled.is_empty() { all().take(1).cloned().collect() } else { uncalled }
}

impl Node {
    fn add(&mut self, side: Side, instructions: f64) {
        match side {
            Side::Base => self.base += instructions,
            Side::Head => self.head += instructions,
        }
    }

    fn child(&mut self, name: &Rc<str>, side: Side, instructions: f64) -> &mut Self {
        let child = self.children.entry(Rc::clone(name)).or_default();
        child.add(side, instructions);
        child
    }

    /// After minus before.
    pub(crate) fn difference(&self) -> f64 {
        self.head - self.base
    }
}

struct Walk<'a> {
    profile: &'a Profile,
    side: Side,
    least: f64,
    path: Vec<Function>,
    roots: Vec<Function>,
}

impl Walk<'_> {
    fn start(&mut self, root: &mut Node, total: f64) {
        let roots = std::mem::take(&mut self.roots);
        let cost = |function: &Function| {
            self.profile.functions[function].iter().map(|item| item.instructions as f64).sum()
        };
        let costs: Vec<f64> = roots.iter().map(cost).collect();
        let sum: f64 = costs.iter().sum();
        let alone = roots.len() == 1;
        for (function, cost) in roots.iter().zip(costs) {
            let share = if sum > 0.0 { total * cost / sum } else { 0.0 };
            // The one operation is the root itself.
            if alone {
                self.enter(root, function, share);
            } else {
                let name = self.name(function);
                self.enter(root.child(&name, self.side, share), function, share);
            }
        }
    }

    /// Shares out what a function costs here among its own code and its callees.
    fn enter(&mut self, node: &mut Node, function: &Function, cost: f64) {
        let profile = self.profile;
        let Some(items) = profile.functions.get(function) else { return };
        if self.path.len() >= DEPTH_MAX {
            return;
        }
        self.path.push(function.clone());
        let again = |item: &&Item| !item.callee.as_ref().is_some_and(|f| self.path.contains(f));
        let followed: Vec<&Item> = items.iter().filter(again).collect();
        let sum: f64 = followed.iter().map(|item| item.instructions as f64).sum();
        for item in followed {
            let share = cost * item.instructions as f64 / sum;
            let inlined = item.chain.iter().skip(1);
            let mut at = &mut *node;
            for frame in inlined {
                at = at.child(&frame.name, self.side, share);
            }
            if let (Some(callee), true) = (&item.callee, share >= self.least) {
                let name = self.name(callee);
                self.enter(at.child(&name, self.side, share), callee, share);
            }
        }
        self.path.pop();
    }

    fn name(&self, function: &Function) -> Rc<str> {
        let first = self.profile.functions.get(function).and_then(|items| items.first());
        match first {
            Some(item) => Rc::clone(&item.chain[0].name),
            None => super::names::readable(&function.name).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::sample;
    use super::*;

    fn of(text: &str) -> Node {
        stacks(&Profile::default(), &sample(text))
    }

    fn at<'a>(node: &'a Node, path: &str) -> &'a Node {
        path.split(';').fold(node, |node, name| {
            node.children.get(name).unwrap_or_else(|| panic!("no {name} in {node:#?}"))
        })
    }

    #[test]
    fn a_callee_costs_each_caller_its_share() {
        let root = of(
            "fn=t::__gungraun_wrapper_mod::op\n1 10\ncfn=a\ncalls=1 1\n1 40\ncfn=b\ncalls=1 1\n1 50\n\
             fn=a\n2 10\ncfn=c\ncalls=1 1\n2 30\nfn=b\n3 20\ncfn=c\ncalls=1 1\n3 30\nfn=c\n4 60\n",
        );
        assert_eq!(root.head, 100.0);
        let costs = ["a", "b", "a;c", "b;c"].map(|path| at(&root, path).head);
        assert_eq!(costs, [40.0, 50.0, 30.0, 30.0]);
    }

    #[test]
    fn recursion_and_cycles_end_and_cost_what_they_cost() {
        // a calls b, b calls a again: inclusive costs count both ways.
        let root = of("fn=t::__gungraun_wrapper_mod::op\n1 1\ncfn=a\ncalls=1 1\n1 99\n\
             fn=a\n2 40\ncfn=b\ncalls=5 1\n2 59\ncfn=a\ncalls=3 1\n2 70\n\
             fn=b\n3 59\ncfn=a\ncalls=4 1\n3 80\n");
        assert_eq!(root.head, 100.0);
        assert_eq!([at(&root, "a").head, at(&root, "a;b").head], [99.0, 59.0]);
        assert!(at(&root, "a;b").children.is_empty());
        let cycle = of("fn=a\n1 5\ncfn=b\ncalls=1 1\n1 5\nfn=b\n2 5\ncfn=a\ncalls=1 1\n2 5\n");
        assert_eq!(cycle.head, 10.0);
    }

    #[test]
    fn without_the_operation_the_stacks_begin_where_nobody_calls() {
        let root = of("fn=x\n1 10\nfn=y\n1 10\ncfn=z\ncalls=1 1\n1 20\nfn=z\n2 20\n");
        assert_eq!([at(&root, "x").head, at(&root, "y;z").head], [10.0, 20.0]);
    }

    #[test]
    fn both_sides_lie_in_one_tree_and_nothing_is_a_tree_too() {
        let text = |cost: u64| {
            format!(
                "fn=t::__gungraun_wrapper_mod::op\n1 5\ncfn=f\ncalls=1 1\n1 {cost}\nfn=f\n2 {cost}\n"
            )
        };
        let root = stacks(&sample(&text(10)), &sample(&text(25)));
        assert_eq!((root.difference(), at(&root, "f").difference()), (15.0, 15.0));
        assert_eq!(stacks(&Profile::default(), &Profile::default()), Node::default());
    }
}
