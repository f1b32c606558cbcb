//! `keymuster account add` and `change`: what is known of an account.

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::chosen::{named, tell_strangers};
use super::concerns;
use crate::cli::context::Context;
use crate::cli::cosigners::Signing;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::signing::record_and_tell;
use crate::record::{
    Account, AccountAdded, AccountChanged, AccountField, AccountIdentity, Contact, DeviceLinked,
    DeviceName, Email, Event, Handle, KeyName, Line, Phone, RootUserChanged, State, Tag,
};

/// What is known of an account, as flags.
#[derive(Debug, Args)]
pub struct Details {
    /// What its provider calls it
    #[arg(long)]
    name: Option<Line>,
    /// The root user's e-mail address: best a team's mailbox
    #[arg(long, value_name = "ADDRESS")]
    email: Option<Email>,
    /// Who reads that mailbox; may be repeated
    #[arg(long, value_name = "HANDLE")]
    mailbox_reader: Vec<Handle>,
    /// The root user's telephone, such as "+44 20 7946 0000"
    #[arg(long, value_name = "NUMBER")]
    phone: Option<Phone>,
    /// Who answers that telephone; may be repeated
    #[arg(long, value_name = "HANDLE")]
    phone_answerer: Vec<Handle>,
    /// Billing contact, such as "Finance <finance@example.com> +44 20 7946 0000"
    #[arg(long, value_name = "CONTACT")]
    billing: Option<Contact>,
    /// Operations contact
    #[arg(long, value_name = "CONTACT")]
    operations: Option<Contact>,
    /// Security contact
    #[arg(long, value_name = "CONTACT")]
    security: Option<Contact>,
    /// Where the root password is kept, from the inside out, such as "envelope 7, safe 2, Leeds"
    #[arg(long, value_name = "PLACE")]
    password_at: Option<Line>,
    /// What the account can be found by, such as env=prod; may be repeated
    #[arg(long)]
    tag: Vec<Tag>,
}

impl Details {
    /// Who reads the mailbox or answers the telephone.
    fn people(&self) -> impl Iterator<Item = &Handle> {
        self.mailbox_reader.iter().chain(&self.phone_answerer)
    }
}

/// `keymuster account add`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    keymuster account add prod --id 123456789012 --name \"Production\" \\\n    \
    --email aws-root@example.com --mailbox-reader alice --mailbox-reader bob \\\n    \
    --security soc@example.com --password-at \"envelope 7, safe 2\" --mfa alice/primary")]
pub struct Add {
    /// Its handle: 1 to 32 characters of a-z, 0-9 and -
    account: Handle,
    /// Its id at its provider: twelve digits at AWS
    #[arg(long)]
    id: Line,
    /// AWS partition, such as aws or aws-us-gov, or another provider
    #[arg(long, default_value = "aws")]
    provider: Handle,
    /// The root user has neither password nor MFA: access is managed centrally
    #[arg(long, conflicts_with = "mfa")]
    no_root_credentials: bool,
    /// A key that is registered with its root user, such as alice/primary; may be repeated
    #[arg(long, value_name = "KEY")]
    mfa: Vec<KeyName>,
    #[command(flatten)]
    details: Details,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster account change`
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = [
    "name", "email", "mailbox_reader", "phone", "phone_answerer", "billing", "operations",
    "security", "password_at", "tag", "root_credentials", "mailbox_through", "forget",
])]
#[command(after_help = "What isn't named stays; lists are replaced as a whole.\n\n\
    Example:\n  keymuster account change prod --phone \"+44 20 7946 0000\" --phone-answerer bob")]
pub struct Change {
    /// Its handle or id
    account: String,
    /// Whether the root user has a password and MFA devices
    #[arg(long, value_name = "yes|no", value_parser = PossibleValuesParser::new(["yes", "no"]))]
    root_credentials: Option<String>,
    /// An account without which the root mailbox can't be read, as its mail service or domain is
    /// run there: this one or another, by handle or id; may be repeated
    #[arg(long, value_name = "ACCOUNT")]
    mailbox_through: Vec<String>,
    /// Forget a detail; may be repeated
    #[arg(long, value_name = "DETAIL", value_parser = PossibleValuesParser::new(FORGETTABLE.map(|(word, _)| word)))]
    forget: Vec<String>,
    #[command(flatten)]
    details: Details,
    #[command(flatten)]
    signers: Signing,
}

/// What can be forgotten, by the flag that sets it.
const FORGETTABLE: [(&str, AccountField); 9] = [
    ("name", AccountField::Name),
    ("tags", AccountField::Tags),
    ("mailbox-readers", AccountField::MailboxReaders),
    ("mailbox-through", AccountField::MailboxThrough),
    ("phone-answerers", AccountField::PhoneAnswerers),
    ("billing", AccountField::BillingContact),
    ("operations", AccountField::OperationsContact),
    ("security", AccountField::SecurityContact),
    ("password-at", AccountField::PasswordPlace),
];

fn sorted<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort();
    items.dedup();
    items
}

pub fn add(context: &Context, add: &Add) -> Result<Answer, Failure> {
    let identity = AccountIdentity::given(add.provider.clone(), add.id.clone());
    identity.check().map_err(|reason| Failure::new(exit::USAGE, reason.to_string()))?;
    let events = |details: &Details| {
        let account = add.account.clone();
        let added = Event::AccountAdded(Box::new(AccountAdded {
            account: account.clone(),
            provider: identity.provider.clone(),
            id: identity.id.clone(),
            name: details.name.clone(),
            tags: sorted(&details.tag),
            root_credentials: !add.no_root_credentials,
            root_email: details.email.clone(),
            mailbox_readers: sorted(&details.mailbox_reader),
            root_phone: details.phone.clone(),
            phone_answerers: sorted(&details.phone_answerer),
            billing_contact: details.billing.clone(),
            operations_contact: details.operations.clone(),
            security_contact: details.security.clone(),
            password_place: details.password_at.clone(),
        }));
        let linked = sorted(&add.mfa).into_iter().map(|key| {
            let (device, accounts) = (DeviceName::Key(key), vec![account.clone()]);
            Event::DeviceLinked(DeviceLinked { device, accounts, holder: None, place: None })
        });
        std::iter::once(added).chain(linked).collect()
    };
    let concerns = |state: &State| concerns::told(state, [&add.account]);
    record_and_tell(
        context,
        &add.signers,
        |session, _| {
            tell_strangers(session, add.details.people());
            Ok(events(&add.details))
        },
        concerns,
    )
}

pub fn change(context: &Context, change: &Change) -> Result<Answer, Failure> {
    let events = |state: &State| {
        let handle = named(state, &change.account)?;
        let through = change.mailbox_through.iter().map(|account| named(state, account));
        let through: Vec<Handle> = through.collect::<Result<_, Failure>>()?;
        let known = state.accounts().get(&handle).map(AsRef::as_ref);
        let changed = known.map(|known| {
            let root = root_changed(change, handle.clone(), known);
            root.into_iter().chain(details_changed(change, &handle, known, &through)).collect()
        });
        Ok(changed.unwrap_or_default())
    };
    record_and_tell(
        context,
        &change.signers,
        |session, _| {
            tell_strangers(session, change.details.people());
            events(session.state())
        },
        |state| match named(state, &change.account) {
            Ok(handle) => concerns::told(state, [&handle]),
            Err(_) => String::new(),
        },
    )
}

/// What changes of the root user, if anything does.
fn root_changed(change: &Change, account: Handle, known: &Account) -> Option<Event> {
    let root = &known.root;
    let credentials = change.root_credentials.as_deref().map(|has| has == "yes");
    let (email, phone) = (&change.details.email, &change.details.phone);
    let changed = RootUserChanged {
        account,
        credentials: credentials.filter(|has| *has != root.credentials),
        email: email.clone().filter(|email| root.email.as_ref() != Some(email)),
        phone: phone.clone().filter(|phone| root.phone.as_ref() != Some(phone)),
    };
    let changes =
        changed.credentials.is_some() || changed.email.is_some() || changed.phone.is_some();
    changes.then_some(Event::RootUserChanged(changed))
}

/// What else changes, if anything does.
fn details_changed(
    change: &Change,
    account: &Handle,
    known: &Account,
    through: &[Handle],
) -> Option<Event> {
    fn other<T: Clone + PartialEq>(given: &Option<T>, known: &Option<T>) -> Option<T> {
        given.clone().filter(|given| known.as_ref() != Some(given))
    }
    fn others<T: Clone + Ord>(given: &[T], known: &[T]) -> Vec<T> {
        let given = sorted(given);
        if given == known { Vec::new() } else { given }
    }
    let details = &change.details;
    let is_known = |field: &AccountField| match field {
        AccountField::Name => known.name.is_some(),
        AccountField::Tags => !known.tags.is_empty(),
        AccountField::MailboxReaders => !known.mailbox_readers.is_empty(),
        AccountField::MailboxThrough => !known.mailbox_through.is_empty(),
        AccountField::PhoneAnswerers => !known.phone_answerers.is_empty(),
        AccountField::BillingContact => known.billing_contact.is_some(),
        AccountField::OperationsContact => known.operations_contact.is_some(),
        AccountField::SecurityContact => known.security_contact.is_some(),
        AccountField::PasswordPlace => known.password_place.is_some(),
    };
    let named = FORGETTABLE.iter().filter(|(word, _)| change.forget.iter().any(|f| f == word));
    let forgotten: Vec<AccountField> =
        named.map(|(_, field)| *field).filter(|field| is_known(field)).collect();
    let changed = AccountChanged {
        name: other(&details.name, &known.name),
        tags: others(&details.tag, &known.tags),
        mailbox_readers: others(&details.mailbox_reader, &known.mailbox_readers),
        mailbox_through: others(through, &known.mailbox_through),
        phone_answerers: others(&details.phone_answerer, &known.phone_answerers),
        billing_contact: other(&details.billing, &known.billing_contact),
        operations_contact: other(&details.operations, &known.operations_contact),
        security_contact: other(&details.security, &known.security_contact),
        password_place: other(&details.password_at, &known.password_place),
        forgotten: sorted(&forgotten),
        ..AccountChanged::of(account.clone())
    };
    let changes = !changed.sets().is_empty() || !changed.forgotten.is_empty();
    changes.then(|| Event::AccountChanged(Box::new(changed)))
}
