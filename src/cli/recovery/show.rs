//! `keymuster recovery show`: the ways into one account, part by part.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use clap::Args;
use serde::Serialize;

use super::words::{ago, circle, device, gap, way, whereabouts};
use crate::cli::account::named;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count, wrapped};
use crate::cli::session::Session;
use crate::cli::words::{any_of, one_of, quoted};
use crate::record::{DeviceName, Handle, KeyName, State, Time};
use crate::recovery::{Access, Basis, Gap, Join, NodeId, Recovery, Shown, What};

/// `keymuster recovery show`
#[derive(Debug, Args)]
#[command(
    after_help = "A part is proven if it was tried, passed, and not longer ago than policy asks \
    for; a way is as old as its oldest part.\n\nExample:\n  keymuster recovery show prod"
)]
pub struct Show {
    /// Its handle or id
    account: String,
}

#[derive(Serialize)]
struct WaysView {
    account: String,
    /// Whether it has root credentials; without, its organisation gets in.
    root_credentials: bool,
    ways: Vec<PartView>,
    circle: Vec<String>,
}

/// A way, or a part of one.
#[derive(Serialize)]
struct PartView {
    /// What it is.
    part: String,
    /// Whether it takes `all` of its parts, or `any`; nothing where it has none.
    takes: Option<&'static str>,
    /// Whether it is there, on record.
    on_record: bool,
    /// Whether it was proven, and not too long ago.
    proven: bool,
    /// As of when: the oldest of all that it takes.
    last_proven: Option<String>,
    parts: Vec<PartView>,
}

/// What is known of every node.
struct Solved<'a> {
    recovery: &'a Recovery,
    state: &'a State,
    account: &'a Handle,
    on_record: crate::recovery::Solution<bool>,
    proven: crate::recovery::Solution<bool>,
    shown: crate::recovery::Solution<Shown>,
    now: Time,
}

pub fn run(context: &Context, show: &Show) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let account = named(state, &show.account)?;
    let now = context.now()?;
    let recovery = Recovery::of(state, now);
    let Some(access) = recovery.accounts().get(&account) else {
        let view = WaysView {
            account: account.to_string(),
            root_credentials: false,
            ways: Vec::new(),
            circle: Vec::new(),
        };
        let human = wrapped(
            &format!(
                "{account} has no root credentials: its organisation gets into it, by the runbook \
                 member-central-root."
            ),
            "",
        );
        return Ok(Answer::new("recovery", &view, human).exiting(session.exit()));
    };
    let nothing = BTreeSet::new();
    let solved = Solved {
        recovery: &recovery,
        state,
        account: &account,
        on_record: recovery.from_outside(Basis::Record, &nothing, &account),
        proven: recovery.from_outside(Basis::Proven, &nothing, &account),
        shown: recovery.shown(),
        now,
    };
    let view = WaysView {
        account: account.to_string(),
        root_credentials: true,
        ways: access.ways.iter().map(|(_, node)| solved.view(*node)).collect(),
        circle: access.circle.iter().map(ToString::to_string).collect(),
    };
    let human = solved.told(access);
    let is_open = solved.on_record.of(access.node);
    let code = if is_open { session.exit() } else { exit::NO };
    Ok(Answer::new("recovery", &view, human).exiting(code))
}

impl Solved<'_> {
    fn today(&self) -> NaiveDate {
        self.now.moment().date_naive()
    }

    fn view(&self, node: NodeId) -> PartView {
        let (takes, parts): (_, &[NodeId]) = match self.recovery.join(node) {
            Join::All(parts) => (Some("all"), parts),
            Join::Any(parts) => (Some("any"), parts),
            Join::Element(_) | Join::Absent | Join::Into(_) => (None, &[]),
        };
        PartView {
            part: self.called(node),
            takes,
            on_record: self.on_record.of(node),
            proven: self.proven.of(node),
            last_proven: match self.shown.of(node) {
                Shown::At(at) => Some(at.time.to_string()),
                Shown::Absent | Shown::Never | Shown::Nothing => None,
            },
            parts: parts.iter().map(|part| self.view(*part)).collect(),
        }
    }

    /// What a node is called.
    fn called(&self, node: NodeId) -> String {
        let Some(what) = self.recovery.what(node) else { return String::new() };
        match what {
            What::Account(account) => account.to_string(),
            What::Way(kind) => way(*kind).to_owned(),
            What::Password => "the password".to_owned(),
            What::PasswordAt(place) => format!("kept at {}", quoted(place)),
            What::InCustody(secret, compartment) => {
                format!("in custody as {secret}, in {compartment}")
            }
            What::Devices => "an MFA device".to_owned(),
            What::Device(name) => device(name),
            What::Codes => "codes in custody".to_owned(),
            What::Mailbox(email) => format!("the mailbox of {email}"),
            What::Readers => "whoever reads it".to_owned(),
            What::Domain(domain) => format!("the mail of {domain}"),
            What::Phone(phone) => format!("the telephone {phone}"),
            What::Answerers => "whoever answers it".to_owned(),
            What::Key(key) | What::KeyInUse(key) => key.to_string(),
            What::Keys => "a key of theirs".to_owned(),
            What::Pin(key) => format!("the PIN of {key}"),
            What::Token(token) => format!("the token {token}"),
            What::Paper(who) => format!("the paper copy of {who}"),
            What::Person(who) => who.to_string(),
            What::Anybody => "any custodian".to_owned(),
            What::Place(place) => quoted(place),
            What::Itself => "the thing itself".to_owned(),
            What::Compartment(name) => format!("what is in {name}"),
            What::Signing => "signing for the vault".to_owned(),
            What::Signer(who) => format!("{who} signs"),
            What::Through(other) => format!("a way into {other}"),
            What::Central(other) => format!("{other}, which its organisation gets into"),
            What::Missing(missing) => gap(missing, self.account),
        }
    }

    fn told(&self, access: &Access) -> String {
        let there = |solution: &crate::recovery::Solution<bool>| {
            access.ways.iter().filter(|(_, node)| solution.of(*node)).count()
        };
        let (ways, proven) = (there(&self.on_record), there(&self.proven));
        let account = self.account;
        let mut text = match (ways, proven) {
            (0, _) => format!("{account}: NO WAY IN is on record\n"),
            (ways, 0) => {
                format!("{account}: {}, on paper only\n", count(ways, "way in", "ways in"))
            }
            (ways, proven) => {
                format!(
                    "{account}: {} on record, {proven} proven\n",
                    count(ways, "way in", "ways in")
                )
            }
        };
        if let Some(told) = circle(&access.circle) {
            text.push_str(&wrapped(&format!("CIRCLE: {told}"), "  "));
        }
        for (number, (kind, node)) in (1..).zip(&access.ways) {
            text.push('\n');
            let standing = match (self.on_record.of(*node), self.proven.of(*node)) {
                (false, _) => "NO WAY".to_owned(),
                (true, true) => format!("proven{}", self.last(*node)),
                (true, false) => format!("on paper{}", self.last(*node)),
            };
            text.push_str(&wrapped(&format!("{number}. {}: {standing}", way(*kind)), "   "));
            for part in self.parts(*node) {
                self.tell(part, 3, &mut text);
            }
        }
        text
    }

    fn parts(&self, node: NodeId) -> Vec<NodeId> {
        match self.recovery.join(node) {
            Join::All(parts) | Join::Any(parts) => parts.clone(),
            Join::Element(_) | Join::Absent | Join::Into(_) => Vec::new(),
        }
    }

    /// When something was last proven as a whole, behind a word that says how that stands.
    fn last(&self, node: NodeId) -> String {
        match self.shown.of(node) {
            Shown::At(at) => {
                let day = at.time.moment().date_naive();
                format!(", last {day} ({})", ago(day, self.today()))
            }
            Shown::Never => ", never proven as a whole".to_owned(),
            Shown::Absent | Shown::Nothing => String::new(),
        }
    }

    /// When a part itself was last tried.
    fn standing(&self, node: NodeId) -> String {
        let Some(tried) = self.recovery.tried(node) else { return String::new() };
        match tried.day() {
            None => " - never proven".to_owned(),
            Some(day) => {
                let (ago, days) = (ago(day, self.today()), tried.days);
                let late = if tried.holds(self.now) {
                    String::new()
                } else {
                    format!(", more than {days} d")
                };
                format!(" - proven {day} ({ago}{late})")
            }
        }
    }

    fn tell(&self, node: NodeId, depth: usize, text: &mut String) {
        let (blanks, deeper) = (" ".repeat(depth), " ".repeat(depth + 4));
        let mut line = |said: String| text.push_str(&wrapped(&format!("{blanks}{said}"), &deeper));
        let missing = self.missing(node);
        let standing = if missing.is_empty() { self.standing(node) } else { missing };
        match self.recovery.what(node) {
            Some(What::Password | What::Devices) => {
                let parts = self.parts(node);
                let any = if parts.len() > 1 { ", any of" } else { "" };
                line(format!("{}{any}:", self.called(node)));
                parts.into_iter().for_each(|part| self.tell(part, depth + 2, text));
            }
            Some(What::Codes) => {
                self.parts(node).into_iter().for_each(|part| self.tell(part, depth, text));
            }
            Some(What::InCustody(secret, _)) => {
                let openers = self.openers(node);
                line(format!("in custody as {secret}, opened by {openers}{standing}"));
            }
            Some(What::Device(name)) => {
                let whereabouts = self.whereabouts(name);
                line(format!("{}{whereabouts}{standing}", device(name)));
            }
            Some(What::Mailbox(_)) => {
                let by = self.people(node, &What::Readers);
                line(format!("{}{by}{standing}", self.called(node)));
                for part in self.parts(node) {
                    if let Some(What::Through(_) | What::Central(_)) = self.recovery.what(part) {
                        let there = if self.on_record.of(part) { "" } else { " - THERE IS NONE" };
                        let said = format!("  which takes {}{there}", self.called(part));
                        text.push_str(&wrapped(&format!("{blanks}{said}"), &deeper));
                    }
                }
            }
            Some(What::Phone(_)) => {
                let by = self.people(node, &What::Answerers);
                line(format!("{}{by}{standing}", self.called(node)));
            }
            Some(What::Missing(_)) => line(format!("MISSING: {}", self.called(node))),
            _ => line(format!("{}{standing}", self.called(node))),
        }
    }

    /// What keeps a part from being there, if something does.
    fn missing(&self, node: NodeId) -> String {
        let mut gaps = BTreeSet::new();
        self.gaps(node, &mut gaps);
        let gaps: Vec<String> = gaps.iter().map(|missing| gap(missing, self.account)).collect();
        if gaps.is_empty() { String::new() } else { format!(" - MISSING: {}", gaps.join("; ")) }
    }

    fn gaps(&self, node: NodeId, gaps: &mut BTreeSet<Gap>) {
        if self.on_record.of(node) {
            return;
        }
        match (self.recovery.what(node), self.recovery.join(node)) {
            (Some(What::Missing(missing)), _) => {
                gaps.insert(missing.clone());
            }
            (_, Join::All(parts) | Join::Any(parts)) => {
                parts.iter().for_each(|part| self.gaps(*part, gaps));
            }
            _ => {}
        }
    }

    /// `, read by alice or bob`
    fn people(&self, node: NodeId, sort: &What) -> String {
        let parts = self.parts(node);
        let of_sort = parts.iter().find(|part| self.recovery.what(**part) == Some(sort));
        let people = of_sort.map(|part| self.parts(*part)).unwrap_or_default();
        let people: Vec<&Handle> = people
            .iter()
            .filter_map(|part| match self.recovery.what(*part) {
                Some(What::Person(who)) => Some(who),
                _ => None,
            })
            .collect();
        let does = if *sort == What::Readers { "read by" } else { "answered by" };
        if people.is_empty() { String::new() } else { format!(", {does} {}", one_of(&people)) }
    }

    /// Who opens what is in custody: people with a key, and paper copies of others.
    fn openers(&self, node: NodeId) -> String {
        let compartment =
            self.parts(node).first().map(|part| self.parts(*part)).unwrap_or_default();
        let there = compartment.iter().filter(|part| self.on_record.of(**part));
        let what: Vec<&What> = there.filter_map(|part| self.recovery.what(*part)).collect();
        let with_key: BTreeSet<&Handle> = what
            .iter()
            .filter_map(|what| match what {
                What::KeyInUse(key) => Some(&key.owner),
                _ => None,
            })
            .collect();
        let papers = what.iter().filter_map(|what| match what {
            What::Paper(who) if !with_key.contains(who) => Some(format!("the paper copy of {who}")),
            _ => None,
        });
        let all: Vec<String> = with_key.iter().map(ToString::to_string).chain(papers).collect();
        any_of(&all)
    }

    fn whereabouts(&self, name: &DeviceName) -> String {
        let account = self.state.accounts().get(self.account);
        let device = account.and_then(|account| account.devices.get(name));
        match name {
            DeviceName::Key(key) => self.of_key(key),
            DeviceName::Token(_) => match device.map(|device| (&device.place, &device.holder)) {
                Some((Some(place), _)) => format!(", at {}", quoted(place)),
                Some((None, Some(holder))) => format!(", with {holder}"),
                _ => String::new(),
            },
        }
    }

    fn of_key(&self, name: &KeyName) -> String {
        let key = self.state.active_key(name);
        key.map_or(String::new(), |key| format!(", {}", whereabouts(key, &name.owner)))
    }
}
