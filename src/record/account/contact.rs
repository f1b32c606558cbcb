//! How an account's owner is reached: e-mail addresses, telephone numbers, alternate contacts.
//!
//! Each has one way to be written. Whether an address answers is for people to test; whether it
//! looks like one person's mailbox is told by [`Email::is_personal`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::super::values::as_text;
use super::super::{Handle, Line, UnfitValue};

/// An e-mail address, as RFC 5321 has it without quoting: printable ASCII, one `@`, a domain of
/// at least two labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Email(String);

/// Domains where people have mailboxes of their own.
const PRIVATE_DOMAINS: [&str; 24] = [
    "aol.com",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "web.de",
    "yahoo.com",
    "yandex.ru",
    "ymail.com",
];

/// Words by which a mailbox belongs to a task or a team.
const TEAM_WORDS: [&str; 56] = [
    "abuse",
    "account",
    "accounting",
    "accounts",
    "admin",
    "admins",
    "alerts",
    "audit",
    "aws",
    "azure",
    "billing",
    "ciso",
    "cloud",
    "compliance",
    "contact",
    "cto",
    "dev",
    "development",
    "devops",
    "dns",
    "emergency",
    "engineering",
    "finance",
    "gcp",
    "group",
    "help",
    "helpdesk",
    "hostmaster",
    "incident",
    "info",
    "infra",
    "infrastructure",
    "invoices",
    "it",
    "legal",
    "mail",
    "management",
    "master",
    "noc",
    "office",
    "oncall",
    "operations",
    "ops",
    "org",
    "platform",
    "postmaster",
    "prod",
    "production",
    "root",
    "security",
    "service",
    "soc",
    "support",
    "team",
    "test",
    "webmaster",
];

impl Email {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`, without an address extension (`+prod`), in lower case.
    fn mailbox(&self) -> String {
        let local = self.0.split('@').next().unwrap_or_default();
        local.split('+').next().unwrap_or_default().to_ascii_lowercase()
    }

    /// The domain, in lower case.
    pub fn domain(&self) -> String {
        self.0.rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
    }

    /// The mailbox that it reaches, as far as the address tells: without an address extension, in
    /// lower case.
    pub fn without_extension(&self) -> String {
        format!("{}@{}", self.mailbox(), self.domain())
    }

    /// Whether both reach the same mailbox, as far as the address tells: case and an address
    /// extension make no difference.
    pub fn reaches_the_same(&self, other: &Self) -> bool {
        self.without_extension() == other.without_extension()
    }

    /// Whether it looks like one person's mailbox: at a provider of private mailboxes, or named
    /// after one of `people` (handle, name), or of the form `jane.doe` without a word that means
    /// a team. A guess, to warn by.
    pub fn is_personal<'a>(
        &self,
        people: impl IntoIterator<Item = (&'a Handle, Option<&'a Line>)>,
    ) -> bool {
        if PRIVATE_DOMAINS.contains(&self.domain().as_str()) {
            return true;
        }
        let mailbox = self.mailbox();
        let words: Vec<&str> = mailbox.split(['.', '_', '-']).filter(|w| !w.is_empty()).collect();
        if words.iter().any(|word| is_team_word(word)) {
            return false;
        }
        // Of a name, initials and parts are used in many ways: jdoe, doej, janedoe, jane.
        let letters = words.concat();
        let named_after = |(handle, name): (&Handle, Option<&Line>)| {
            let name = name.map_or(String::new(), |name| name.as_str().to_lowercase());
            let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
            let parts: Vec<&str> = parts.into_iter().filter(|part| part.len() > 1).collect();
            let (first, last) = (parts.first().copied(), parts.last().copied());
            let joined = first.zip(last).map(|(first, last)| {
                let initial = |part: &str| part.chars().take(1).collect::<String>();
                [
                    format!("{first}{last}"),
                    format!("{last}{first}"),
                    format!("{}{last}", initial(first)),
                    format!("{last}{}", initial(first)),
                    format!("{first}{}", initial(last)),
                ]
            });
            letters == handle.as_str().replace('-', "")
                || parts.contains(&letters.as_str())
                || joined.is_some_and(|forms| forms.contains(&letters))
        };
        let plain = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase());
        let two_names = words.len() == 2 && words.iter().all(plain) && !mailbox.contains('-');
        people.into_iter().any(named_after) || two_names
    }
}

/// Whether a word means a team, with digits after it or not: `aws2`.
fn is_team_word(word: &str) -> bool {
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
    TEAM_WORDS.binary_search(&word).is_ok()
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Email {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let is_atom = |atom: &str| {
            let special = b"!#$%&'*+-/=?^_`{|}~";
            !atom.is_empty()
                && atom.bytes().all(|b| b.is_ascii_alphanumeric() || special.contains(&b))
        };
        let fits = text.len() <= 254
            && text.split_once('@').is_some_and(|(local, domain)| {
                local.len() <= 64
                    && local.split('.').all(is_atom)
                    && domain.contains('.')
                    && domain.split('.').all(is_label)
            });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnfitValue::Email(text.chars().take(80).collect()))
        }
    }
}
as_text!(Email);

/// A telephone number in international form (ITU-T E.164): `+`, 7 to 15 digits, single blanks
/// between them where people want some.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Phone(String);

impl Phone {
    /// The number without blanks, by which two spellings of it are the same.
    pub fn digits(&self) -> String {
        self.0.replace(' ', "")
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Phone {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let groups = text.strip_prefix('+').map(|rest| rest.split(' ').collect::<Vec<_>>());
        let fits = groups.is_some_and(|groups| {
            let digits =
                |group: &&str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
            let count: usize = groups.iter().map(|group| group.len()).sum();
            groups.iter().all(digits) && (7..=15).contains(&count)
        });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnfitValue::Phone(text.chars().take(40).collect()))
        }
    }
}
as_text!(Phone);

/// Whom a provider writes to about bills, operations or security, beside the root user:
/// `finance@example.com`, or with a name before it and a telephone number after it,
/// `Finance team <finance@example.com> +44 20 7946 0000`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Contact {
    /// A team, or a person.
    pub name: Option<Line>,
    /// The address.
    pub email: Email,
    /// The number.
    pub phone: Option<Phone>,
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.email)?,
            None => write!(f, "{}", self.email)?,
        }
        self.phone.as_ref().map_or(Ok(()), |phone| write!(f, " {phone}"))
    }
}

impl FromStr for Contact {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let (name, rest) = match text.split_once('<') {
            Some((name, rest)) => (name.strip_suffix(' '), rest.replacen('>', "", 1)),
            None => (None, text.to_owned()),
        };
        let (email, phone) = match rest.split_once(' ') {
            Some((email, phone)) => (email, Some(phone.parse()?)),
            None => (rest.as_str(), None),
        };
        let name = name.map(str::parse).transpose()?;
        let contact = Self { name, email: email.parse()?, phone };
        // What was dropped on the way makes another spelling of it.
        if contact.to_string() == text {
            Ok(contact)
        } else {
            Err(UnfitValue::Contact(text.chars().take(80).collect()))
        }
    }
}
as_text!(Contact);

/// What an account can be found by: a line of 1 to 128 characters without `,` or `;`, such as
/// `env=prod`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tag(Line);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Tag {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let line: Line = text.parse()?;
        if text.contains([',', ';']) || text.chars().count() > 128 {
            return Err(UnfitValue::Tag(text.chars().take(80).collect()));
        }
        Ok(Self(line))
    }
}
as_text!(Tag);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_mailbox_and_a_domain() {
        for good in ["aws@example.com", "a.b+c@x-y.example.co.uk", "O'Neil_1@example.com"] {
            assert_eq!(good.parse::<Email>().unwrap().as_str(), good);
        }
        let long = format!("{}@example.com", "x".repeat(65));
        for bad in [
            "",
            "aws",
            "aws@",
            "@example.com",
            "a@b",
            "a@b@example.com",
            "a b@example.com",
            ".a@example.com",
            "a..b@example.com",
            "a@-x.com",
            "a@example..com",
            "ä@example.com",
            "<aws@example.com>",
            "a@example.com ",
            long.as_str(),
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_persons_mailbox_is_told_from_a_teams() {
        let (jane, name) = ("jane".parse().unwrap(), "Jane van Doe".parse().unwrap());
        let bob = "bob".parse().unwrap();
        let people = [(&jane, Some(&name)), (&bob, None)];
        let personal = |text: &str| text.parse::<Email>().unwrap().is_personal(people);
        for mailbox in [
            "max.muster@example.com",
            "erika_muster+aws@example.com",
            "bob@example.com",
            "jdoe@example.com",
            "JaneDoe@example.com",
            "doe@example.com",
            "aws.root@gmail.com",
        ] {
            assert!(personal(mailbox), "{mailbox}");
        }
        for mailbox in [
            "aws@example.com",
            "aws+prod@example.com",
            "root-prod.aws7@example.com",
            "cloud.platform@example.com",
            "team-rocket@example.com",
            "it.munich@example.com",
            "x9f3@example.com",
            "payments@example.com",
            "acme-payments@example.com",
        ] {
            assert!(!personal(mailbox), "{mailbox}");
        }
    }

    #[test]
    fn words_that_mean_a_team_are_in_order_to_be_found() {
        assert!(TEAM_WORDS.is_sorted());
        assert!(PRIVATE_DOMAINS.is_sorted());
    }

    #[test]
    fn a_number_is_international() {
        for good in ["+442079460000", "+44 20 7946 0000", "+1 555 0100"] {
            assert_eq!(good.parse::<Phone>().unwrap().to_string(), good);
        }
        for bad in ["", "+", "442079460000", "+44  20 7946", "+44-20-79460", "+1 555", "+44 20 "] {
            assert!(bad.parse::<Phone>().is_err(), "{bad:?}");
        }
        assert!("+1234567890123456".parse::<Phone>().is_err());
    }

    #[test]
    fn a_contact_has_one_spelling() {
        for good in [
            "finance@example.com",
            "finance@example.com +44 20 7946 0000",
            "Finance team <finance@example.com>",
            "Finance team <finance@example.com> +44 20 7946 0000",
        ] {
            assert_eq!(good.parse::<Contact>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "Finance",
            "<finance@example.com>",
            "Finance<finance@example.com>",
            "Finance  <finance@example.com>",
            "Finance <finance@example.com",
            "Finance <finance@example.com>  +1 555 0100",
            "Finance <finance@example.com> at night",
            "Finance <a@example.com> <b@example.com>",
            "finance@example.com ",
        ] {
            assert!(bad.parse::<Contact>().is_err(), "{bad:?}");
        }
    }
}
