//! What can be lost.

use std::collections::BTreeMap;
use std::fmt;

use crate::record::{Email, Handle, KeyName, Phone};

/// Something that can be lost. Whatever has the same spelling is the same, as far as spellings of
/// one thing are known to differ: that is how a shared cause is seen.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Element {
    /// A person: a custodian, or somebody else by the name that is recorded.
    Person(Handle),
    /// A security key.
    Key(KeyName),
    /// The paper copy of a custodian's identity.
    Paper(Handle),
    /// A token that one person carries under one name, whatever accounts it is registered with.
    TokenOf(Handle, Handle),
    /// A token that is kept in a place: the account and its name.
    Token(Handle, Handle),
    /// A place, in lower case with single blanks, and one behind each comma.
    Place(String),
    /// A mailbox: the address in lower case, without an extension.
    Mailbox(String),
    /// The domain of mailboxes.
    Domain(String),
    /// A telephone number, without blanks.
    Phone(String),
}

impl Element {
    /// The mailbox of an address.
    pub fn mailbox(email: &Email) -> Self {
        Self::Mailbox(email.without_extension())
    }

    /// The telephone with a number.
    pub fn phone(phone: &Phone) -> Self {
        Self::Phone(phone.digits())
    }

    /// What kind it is, in the word that its text form begins with.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Person(_) => "person",
            Self::Key(_) => "key",
            Self::Paper(_) => "paper",
            Self::TokenOf(..) | Self::Token(..) => "token",
            Self::Place(_) => "place",
            Self::Mailbox(_) => "mailbox",
            Self::Domain(_) => "domain",
            Self::Phone(_) => "phone",
        }
    }

    /// What it is called, without its kind.
    pub fn name(&self) -> String {
        match self {
            Self::Person(who) => who.to_string(),
            Self::Key(key) => key.to_string(),
            Self::Paper(who) => format!("{who}/paper"),
            Self::TokenOf(who, token) => format!("{who}/{token}"),
            Self::Token(account, token) => format!("{token} of {account}"),
            Self::Place(text) | Self::Mailbox(text) | Self::Domain(text) | Self::Phone(text) => {
                text.clone()
            }
        }
    }
}

/// The levels of a place, from the inside out, with single blanks: of `safe 2,  Leeds` they are
/// `safe 2` and `Leeds`. None is empty.
pub fn levels(place: &str) -> Vec<String> {
    let words = |level: &str| level.split_whitespace().collect::<Vec<_>>().join(" ");
    place.split(',').map(words).filter(|level| !level.is_empty()).collect()
}

/// A text as it is compared: two spellings of the same place are the same text.
pub fn plain(text: &str) -> String {
    levels(text).join(", ").to_lowercase()
}

/// `key:alice/primary`, `place:safe 2`: what is the same element has the same text.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.name())
    }
}

/// The number of an element.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ElementId(pub u32);

/// All elements, by number; what each was first called, where its own form is another.
#[derive(Debug, Default)]
pub struct Elements {
    ids: BTreeMap<Element, ElementId>,
    all: Vec<(Element, Option<String>)>,
}

impl Elements {
    /// The number of an element, which is new to it or known. `called` is how it is written where
    /// it was met.
    pub fn id_of(&mut self, element: Element, called: Option<&dyn fmt::Display>) -> ElementId {
        let next = ElementId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let all = &mut self.all;
        *self.ids.entry(element.clone()).or_insert_with(|| {
            all.push((element, called.map(ToString::to_string)));
            next
        })
    }

    /// The number of an element that is known.
    pub fn find(&self, element: &Element) -> Option<ElementId> {
        self.ids.get(element).copied()
    }

    /// An element by its number.
    pub fn get(&self, id: ElementId) -> Option<&Element> {
        self.at(id).map(|(element, _)| element)
    }

    /// What it is called, as it was written where it was met first.
    pub fn called(&self, id: ElementId) -> String {
        let called =
            self.at(id).map(|(element, called)| called.clone().unwrap_or_else(|| element.name()));
        called.unwrap_or_default()
    }

    fn at(&self, id: ElementId) -> Option<&(Element, Option<String>)> {
        self.all.get(usize::try_from(id.0).unwrap_or(usize::MAX))
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&Element, ElementId)> {
        self.ids.iter().map(|(element, id)| (element, *id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
