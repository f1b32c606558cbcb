use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::formula::Solution;
use super::*;

/// How many elements a random formula may stand on.
const ELEMENTS: u32 = 7;

/// A node as it is drawn: its parts are among the nodes before it.
#[derive(Clone, Debug)]
enum Drawn {
    Element(u32),
    Absent,
    All(Vec<Index>),
    Any(Vec<Index>),
    Into(Index),
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let parts = || prop::collection::vec(any::<Index>(), 0..4);
    prop_oneof![
        5 => (0..ELEMENTS).prop_map(Drawn::Element),
        1 => Just(Drawn::Absent),
        4 => parts().prop_map(Drawn::All),
        5 => parts().prop_map(Drawn::Any),
        3 => any::<Index>().prop_map(Drawn::Into),
    ]
}

/// A formula, and the nodes that are nothing whatever their parts are, as what was never proven is.
#[derive(Debug)]
struct Made {
    formula: Formula,
    nodes: Vec<NodeId>,
    off: BTreeSet<usize>,
}

impl Made {
    fn counts(&self, node: NodeId) -> bool {
        !self.off.contains(&node.place())
    }

    fn cuts(&self) -> Solution<Cuts> {
        let own = |node, cuts| if self.counts(node) { cuts } else { Cuts::absent() };
        self.formula.solve(Cuts::of, own)
    }
}

/// Targets are aimed at any node, so that a circle can begin anywhere; at none, now and then.
fn formulas() -> impl Strategy<Value = Made> {
    let nodes = prop::collection::vec(drawn(), 1..15);
    let aims = prop::collection::vec(prop::option::weighted(0.9, any::<Index>()), 1..4);
    let off = prop::collection::btree_set(0..15_usize, 0..3);
    (nodes, aims, off).prop_map(|(drawn, aims, off)| {
        let mut formula = Formula::default();
        let targets: Vec<TargetId> = aims.iter().map(|_| formula.target()).collect();
        let mut nodes: Vec<NodeId> = Vec::new();
        for node in drawn {
            let before = |parts: Vec<Index>| -> Vec<NodeId> {
                let known = parts.iter().filter(|_| !nodes.is_empty());
                known.map(|part| *part.get(&nodes)).collect()
            };
            let join = match node {
                Drawn::Element(number) => Join::Element(ElementId(number)),
                Drawn::Absent => Join::Absent,
                Drawn::All(parts) => Join::All(before(parts)),
                Drawn::Any(parts) => Join::Any(before(parts)),
                Drawn::Into(target) => Join::Into(*target.get(&targets)),
            };
            let made = formula.push(join);
            nodes.push(made);
        }
        for (target, aim) in targets.iter().zip(aims) {
            if let Some(aim) = aim {
                formula.aim(*target, *aim.get(&nodes));
            }
        }
        Made { formula, nodes, off }
    })
}

/// What is there without these elements: nothing at first, and then whatever has its parts, until
/// there is no more.
fn what_is_there(made: &Made, lost: &BTreeSet<ElementId>) -> Vec<bool> {
    let mut there = vec![false; made.nodes.len()];
    loop {
        let is_there = |node: &NodeId| there[node.place()];
        let next: Vec<bool> = made
            .nodes
            .iter()
            .map(|node| {
                let has_parts = match made.formula.join(*node) {
                    Join::Element(element) => !lost.contains(element),
                    Join::Absent => false,
                    Join::All(parts) => parts.iter().filter(|part| !is_there(part)).count() == 0,
                    Join::Any(parts) => parts.iter().filter(|part| is_there(part)).count() > 0,
                    Join::Into(target) => {
                        made.formula.node_of(*target).is_some_and(|node| is_there(&node))
                    }
                };
                has_parts && made.counts(*node)
            })
            .collect();
        if next == there {
            return there;
        }
        there = next;
    }
}

/// The losses that undo a node: whether it is gone without any, and the least of one and of two.
type Undone = (bool, Vec<ElementId>, Vec<(ElementId, ElementId)>);

/// By trying every loss.
fn tried_out(made: &Made) -> Vec<Undone> {
    let without = |lost: &[ElementId]| what_is_there(made, &lost.iter().copied().collect());
    let all: Vec<ElementId> = (0..ELEMENTS).map(ElementId).collect();
    let whole = without(&[]);
    let ones: Vec<(ElementId, Vec<bool>)> =
        all.iter().map(|one| (*one, without(&[*one]))).collect();
    let mut twos = Vec::new();
    for one in &all {
        let higher = all.iter().filter(|other| *other > one);
        twos.extend(higher.map(|other| ((*one, *other), without(&[*one, *other]))));
    }
    let of = |node: usize| {
        if !whole[node] {
            return (true, Vec::new(), Vec::new());
        }
        let its_ones: Vec<ElementId> =
            ones.iter().filter(|(_, there)| !there[node]).map(|(one, _)| *one).collect();
        let is_least = |(one, other): &(ElementId, ElementId)| {
            !its_ones.contains(one) && !its_ones.contains(other)
        };
        let undoing = twos.iter().filter(|(_, there)| !there[node]).map(|(pair, _)| *pair);
        let its_twos = undoing.filter(is_least).collect();
        (false, its_ones, its_twos)
    };
    (0..made.nodes.len()).map(of).collect()
}

fn told(cuts: &Cuts) -> Undone {
    (cuts.is_gone(), cuts.ones().to_vec(), cuts.twos().to_vec())
}

proptest! {
    #[test]
    fn the_losses_of_every_node_are_those_that_trying_finds(made in formulas()) {
        let cuts = made.cuts();
        for (node, undone) in made.nodes.iter().zip(tried_out(&made)) {
            let found = cuts.of(*node);
            prop_assert_eq!(told(&found), undone, "node {}", node.place());
        }
    }

    #[test]
    fn whatever_is_lost_what_is_left_is_what_can_be_reached(
        made in formulas(),
        lost in prop::collection::btree_set((0..ELEMENTS).prop_map(ElementId), 0..=7),
    ) {
        let own = |node, there: bool| there && made.counts(node);
        let solution = made.formula.solve(|element| !lost.contains(&element), own);
        for (node, there) in made.nodes.iter().zip(what_is_there(&made, &lost)) {
            prop_assert_eq!(solution.of(*node), there, "node {}", node.place());
        }
    }
}

/// A formula of these elements: the element of each node is its place.
fn with_elements(count: u32) -> (Formula, Vec<NodeId>) {
    let mut formula = Formula::default();
    let nodes = (0..count).map(|one| formula.push(Join::Element(ElementId(one)))).collect();
    (formula, nodes)
}

fn cuts_of(formula: &Formula, node: NodeId) -> Undone {
    told(&formula.solve(Cuts::of, |_, cuts| cuts).of(node))
}

fn losses(ones: &[u32], twos: &[(u32, u32)]) -> Undone {
    let twos = twos.iter().map(|(one, other)| (ElementId(*one), ElementId(*other)));
    (false, ones.iter().copied().map(ElementId).collect(), twos.collect())
}

const GONE: Undone = (true, Vec::new(), Vec::new());

#[test]
fn two_ways_are_undone_by_one_part_of_each() {
    let (mut formula, e) = with_elements(4);
    let one = formula.push(Join::All(vec![e[3], e[0]]));
    let other = formula.push(Join::All(vec![e[2], e[1]]));
    let any = formula.push(Join::Any(vec![one, other]));
    assert_eq!(cuts_of(&formula, one), losses(&[0, 3], &[]));
    assert_eq!(cuts_of(&formula, any), losses(&[], &[(0, 1), (0, 2), (1, 3), (2, 3)]));
}

#[test]
fn what_both_ways_take_is_lost_alone_and_in_no_pair() {
    let (mut formula, e) = with_elements(3);
    let one = formula.push(Join::All(vec![e[0], e[1]]));
    let other = formula.push(Join::All(vec![e[2], e[0]]));
    let any = formula.push(Join::Any(vec![one, other]));
    assert_eq!(cuts_of(&formula, any), losses(&[0], &[(1, 2)]));
    // A pair that a part of the whole is undone by isn't told where one of the two does it alone.
    let either = formula.push(Join::Any(vec![e[1], e[2]]));
    let all = formula.push(Join::All(vec![either, e[2]]));
    assert_eq!(cuts_of(&formula, either), losses(&[], &[(1, 2)]));
    assert_eq!(cuts_of(&formula, all), losses(&[2], &[]));
}

#[test]
fn a_pair_that_undoes_one_way_undoes_both_if_one_of_it_undoes_the_other() {
    let (mut formula, e) = with_elements(3);
    let either = formula.push(Join::Any(vec![e[0], e[1]]));
    let both = formula.push(Join::All(vec![e[0], e[2]]));
    for parts in [[either, both], [both, either]] {
        let any = formula.push(Join::Any(parts.to_vec()));
        assert_eq!(cuts_of(&formula, any), losses(&[], &[(0, 1)]));
    }
    let again = formula.push(Join::Any(vec![either, either]));
    assert_eq!(cuts_of(&formula, again), losses(&[], &[(0, 1)]));
}

#[test]
fn all_are_undone_by_whatever_undoes_one() {
    let (mut formula, e) = with_elements(5);
    let first = formula.push(Join::Any(vec![e[3], e[4]]));
    let second = formula.push(Join::Any(vec![e[0], e[1]]));
    let all = formula.push(Join::All(vec![first, e[2], second]));
    assert_eq!(cuts_of(&formula, all), losses(&[2], &[(0, 1), (3, 4)]));
}

#[test]
fn what_takes_three_losses_is_undone_by_none_of_two() {
    let (mut formula, e) = with_elements(3);
    let any = formula.push(Join::Any(e));
    assert_eq!(cuts_of(&formula, any), losses(&[], &[]));
}

#[test]
fn of_no_parts_all_are_there_and_any_is_not() {
    let (mut formula, _) = with_elements(0);
    let all = formula.push(Join::All(Vec::new()));
    let any = formula.push(Join::Any(Vec::new()));
    let absent = formula.push(Join::Absent);
    let some = formula.push(Join::Any(vec![absent, all]));
    let none = formula.push(Join::All(vec![absent, all]));
    assert_eq!(cuts_of(&formula, all), losses(&[], &[]));
    assert_eq!(cuts_of(&formula, some), losses(&[], &[]));
    for node in [any, absent, none] {
        assert_eq!(cuts_of(&formula, node), GONE);
    }
}

#[test]
fn what_stands_on_itself_alone_is_not_there() {
    let (mut formula, e) = with_elements(1);
    let [on_itself, nothing] = [formula.target(), formula.target()];
    let into = formula.push(Join::Into(on_itself));
    let all = formula.push(Join::All(vec![e[0], into]));
    formula.aim(on_itself, all);
    let into_nothing = formula.push(Join::Into(nothing));
    for node in [into, all, into_nothing] {
        assert_eq!(cuts_of(&formula, node), GONE);
    }
}

#[test]
fn a_circle_is_entered_by_what_lies_outside_it() {
    let (mut formula, e) = with_elements(4);
    let [one, other] = [formula.target(), formula.target()];
    // Into one by 0, with the other; into the other by 1, with one, or by 2 and 3.
    let into_other = formula.push(Join::Into(other));
    let of_one = formula.push(Join::All(vec![e[0], into_other]));
    let into_one = formula.push(Join::Into(one));
    let circular = formula.push(Join::All(vec![e[1], into_one]));
    let outside = formula.push(Join::All(vec![e[2], e[3]]));
    let of_other = formula.push(Join::Any(vec![circular, outside]));
    formula.aim(one, of_one);
    formula.aim(other, of_other);
    assert_eq!(cuts_of(&formula, of_other), losses(&[2, 3], &[]));
    assert_eq!(cuts_of(&formula, of_one), losses(&[0, 2, 3], &[]));
}

#[test]
fn many_ways_that_share_nothing_cost_little() {
    let (mut formula, e) = with_elements(900);
    let ways: Vec<NodeId> =
        e.chunks(3).map(|parts| formula.push(Join::All(parts.to_vec()))).collect();
    let any = formula.push(Join::Any(ways));
    assert_eq!(cuts_of(&formula, any), losses(&[], &[]));
}

/// So many targets, each on the one before it and the last on a way of its own, or on the first
/// where they are a circle.
fn chain(count: usize, circle: bool) -> (Formula, Vec<NodeId>) {
    let (mut formula, e) = with_elements(1);
    let targets: Vec<TargetId> = (0..count).map(|_| formula.target()).collect();
    let mut nodes = Vec::new();
    for (place, target) in targets.iter().enumerate() {
        let next = targets.get(place + 1).or_else(|| targets.first().filter(|_| circle));
        let node = match next {
            Some(next) => {
                let into = formula.push(Join::Into(*next));
                formula.push(Join::Any(vec![into]))
            }
            None => formula.push(Join::All(vec![e[0]])),
        };
        formula.aim(*target, node);
        nodes.push(node);
    }
    (formula, nodes)
}

#[test]
fn a_long_chain_and_a_long_circle_come_to_rest() {
    const COUNT: usize = 5000;
    for (circle, each) in [(false, losses(&[0], &[])), (true, GONE)] {
        let (formula, nodes) = chain(COUNT, circle);
        let looks = Cell::new(0);
        let own = |_, cuts| {
            looks.set(looks.get() + 1);
            cuts
        };
        let cuts = formula.solve(Cuts::of, own);
        assert!(nodes.iter().all(|node| told(&cuts.of(*node)) == each));
        // Once each at first, and then a few times more: not once for every other.
        assert!(looks.get() < 10 * COUNT, "{} looks", looks.get());
    }
}

/// Each of a circle has a way in of its own, so that news goes around it.
#[test]
fn a_long_circle_of_ways_comes_to_rest() {
    const COUNT: u32 = 500;
    let (mut formula, e) = with_elements(COUNT);
    let targets: Vec<TargetId> = e.iter().map(|_| formula.target()).collect();
    let mut nodes = Vec::new();
    for (place, own) in e.iter().enumerate() {
        let into = formula.push(Join::Into(targets[(place + 1) % targets.len()]));
        nodes.push(formula.push(Join::Any(vec![*own, into])));
        formula.aim(targets[place], nodes[place]);
    }
    let cuts = formula.solve(Cuts::of, |_, cuts| cuts);
    assert!(nodes.iter().all(|node| told(&cuts.of(*node)) == losses(&[], &[])));
}
