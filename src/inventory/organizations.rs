//! Accounts out of what `aws organizations list-accounts` prints as JSON, or the array inside.
//!
//! Fields that aren't named here don't matter; AWS adds some from time to time.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{Listed, MAX_ROWS, Row, Unreadable, handle_from};
use crate::record::{AccountAdded, Email, Line};
use crate::text::sanitise;

/// The whole list. Fields that stand twice are errors, here and in an account: which of them
/// counts would be a guess.
#[derive(Deserialize)]
struct List<'a> {
    #[serde(rename = "Accounts", borrow)]
    accounts: Items<'a>,
    #[serde(rename = "NextToken")]
    next: Option<IgnoredAny>,
}

/// The items of an array: one more than there may be, at most. Millions of empty ones would be
/// many times as large in memory as in the file.
struct Items<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;
        impl<'de> Visitor<'de> for Bounded {
            type Value = Vec<&'de RawValue>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of accounts")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = array.next_element()? {
                    items.push(item);
                    if items.len() > MAX_ROWS {
                        break;
                    }
                }
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(items)
            }
        }
        deserializer.deserialize_seq(Bounded).map(Items)
    }
}

#[derive(Deserialize)]
struct Account {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Arn")]
    arn: Option<String>,
    #[serde(rename = "Name")]
    name: Option<String>,
    #[serde(rename = "Email")]
    email: Option<String>,
    /// What took the place of `Status`.
    #[serde(rename = "State")]
    state: Option<String>,
    #[serde(rename = "Status")]
    status: Option<String>,
}

/// Reads the accounts of such a list.
pub(super) fn read(text: &str) -> Result<Vec<Row>, Unreadable> {
    let unreadable = |error: serde_json::Error| match error.classify() {
        Category::Data => Unreadable::OtherJson,
        _ => Unreadable::NotJson { line: error.line(), column: error.column() },
    };
    let Items(accounts) = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(unreadable)?
    } else {
        let list: List<'_> = serde_json::from_str(text).map_err(unreadable)?;
        if list.next.is_some() {
            return Err(Unreadable::NotAll);
        }
        list.accounts
    };
    if accounts.len() > MAX_ROWS {
        return Err(Unreadable::TooManyRows);
    }
    let numbered = (1_u64..).zip(accounts);
    Ok(numbered.map(|(place, value)| Row { place, account: account(value) }).collect())
}

fn account(text: &RawValue) -> Result<Listed, Vec<String>> {
    // An array of its fields, in the order in which they stand here, would do for serde.
    if !text.get().starts_with('{') {
        return Err(vec!["it isn't an account: an object is expected".to_owned()]);
    }
    let account: Account = serde_json::from_str(text.get()).map_err(|error| {
        let error = error.to_string();
        // Its place is one within the account.
        let reason = error.split(" at line ").next().unwrap_or(&error);
        vec![format!("it isn't an account: {}", sanitise(reason, 200))]
    })?;
    let mut wrong = Vec::new();
    let mut note = |field: &str, error: &dyn std::fmt::Display| {
        wrong.push(format!("{field}: {error}"));
    };
    let id: Option<Line> = account.id.parse().map_err(|error| note("Id", &error)).ok();
    // arn:PARTITION:organizations::…
    let partition = account.arn.as_deref().map_or("aws", |arn| {
        let mut parts = arn.split(':');
        if parts.next() == Some("arn") { parts.next().unwrap_or_default() } else { "" }
    });
    let provider = partition.parse().map_err(|error| note("Arn", &error)).ok();
    let given = account.name.as_deref().filter(|name| !name.trim().is_empty());
    let name: Option<Line> =
        given.and_then(|name| name.trim().parse().map_err(|error| note("Name", &error)).ok());
    let email: Option<Email> =
        account.email.and_then(|email| email.parse().map_err(|error| note("Email", &error)).ok());
    let status = account.state.or(account.status);
    let inactive = status.filter(|status| status != "ACTIVE").map(|status| sanitise(&status, 40));
    let handle = handle_from(account.name.as_deref(), &account.id);
    match (wrong.is_empty(), handle, provider, id) {
        (true, Some(handle), Some(provider), Some(id)) => Ok(Listed {
            account: AccountAdded {
                name,
                root_email: email,
                ..AccountAdded::of(handle, provider, id)
            },
            named: false,
            tells_credentials: false,
            devices: Vec::new(),
            inactive,
        }),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shape of AWS CLI 2, with made-up values.
    const LIST: &str = r#"{"Accounts": [
        {"Id": "012345678901", "Arn": "arn:aws:organizations::1:account/o-a/012345678901",
         "Email": "aws+prod@example.com", "Name": "Prod", "Status": "ACTIVE",
         "JoinedMethod": "CREATED", "JoinedTimestamp": "2024-01-01T00:00:00+00:00"},
        {"Id": "012345678902", "Arn": "arn:aws-us-gov:organizations::1:account/o-a/012345678902",
         "Email": "aws+gov@example.com", "Name": "Gov", "State": "PENDING_CLOSURE",
         "JoinedTimestamp": 1704067200.0}
    ], "NextToken": null}"#;

    #[test]
    fn what_aws_prints_is_read() {
        let rows = read(LIST).unwrap();
        let [first, second] = rows.as_slice() else { panic!("{rows:?}") };
        let (first, second) = (first.account.clone().unwrap(), second.account.clone().unwrap());
        assert_eq!((first.account.account.as_str(), first.named), ("prod", false));
        assert_eq!(first.account.root_email.unwrap().as_str(), "aws+prod@example.com");
        assert_eq!((first.account.provider.as_str(), first.inactive), ("aws", None));
        assert_eq!(second.account.provider.as_str(), "aws-us-gov");
        assert_eq!(second.inactive.as_deref(), Some("PENDING_CLOSURE"));
        let inner = LIST.trim_start_matches("{\"Accounts\": ");
        let inner = inner.rsplit_once(", \"NextToken\"").unwrap().0;
        assert_eq!(read(inner).unwrap(), rows);
    }

    #[test]
    fn what_is_wrong_with_an_account_is_told() {
        let wrong = |account: &str| {
            read(&format!("[{account}]")).unwrap().pop().unwrap().account.unwrap_err()
        };
        assert!(wrong("7")[0].starts_with("it isn't an account"));
        let twice = wrong(r#"{"Id": "012345678901", "Email": "a@b.cd", "Id": "012345678902"}"#);
        assert_eq!(twice, ["it isn't an account: duplicate field `Id`"]);
        let lists = r#"{"Accounts": [{"Id": "1"}], "Accounts": []}"#;
        assert_eq!(read(lists), Err(Unreadable::OtherJson));
        assert!(wrong("{\"Id\": 12345678901}")[0].starts_with("it isn't an account"));
        assert!(wrong(r#"{"Id": "1", "Arn": "x"}"#)[0].starts_with("Arn: "));
        assert!(wrong(r#"{"Id": "1", "Email": "nobody"}"#)[0].starts_with("Email: "));
        assert!(wrong(r#"{"Id": "1", "Name": "a\u202eb"}"#)[0].starts_with("Name: "));
        assert!(wrong(r#"{"Id": ""}"#)[0].starts_with("Id: "));
    }

    #[test]
    fn what_is_no_list_of_accounts_is_refused_without_being_kept() {
        let many = format!("[{}0]", "0,".repeat(3 * MAX_ROWS));
        assert!(matches!(read(&many), Err(Unreadable::TooManyRows)));
        assert!(matches!(read(&many.replace('0', "0 1")), Err(Unreadable::NotJson { .. })));
        // In the order of the fields that are read.
        let array = r#"[["111111111111", null, "a", null, null, null]]"#;
        let rows = read(array).unwrap();
        let expected = vec!["it isn't an account: an object is expected".to_owned()];
        assert_eq!(rows[0].account.as_ref().unwrap_err(), &expected);
    }
}
