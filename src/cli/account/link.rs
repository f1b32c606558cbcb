//! `keymuster account link`, `unlink` and `token`: the MFA devices of root users.

use clap::Args;

use super::chosen::{Chosen, named, tell_strangers};
use super::concerns;
use crate::cli::context::Context;
use crate::cli::cosigners::Signing;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::cli::signing::{record_and_tell, record_events};
use crate::record::{
    Device, DeviceLinked, DeviceName, DeviceUnlinked, Event, Handle, KeyName, Line, State,
    TokenMoved,
};

/// `keymuster account link`
#[derive(Debug, Args)]
#[command(
    override_usage = "keymuster account link [OPTIONS] <DEVICE> <ACCOUNT…|--tagged <TAG>>",
    after_help = "A key is registered with many root users; a token shows the codes of one.\n\n\
    Examples:\n  \
    keymuster account link alice/primary prod payments\n  \
    keymuster account link phone prod --token --held-by bob --kept-at \"safe 2, Leeds\""
)]
pub struct Link {
    /// The key, such as alice/primary; or, with --token, a name for the token
    #[arg(value_name = "DEVICE")]
    mfa_device: DeviceName,
    #[command(flatten)]
    chosen: Chosen,
    /// It is a token that shows TOTP codes, in an app or by itself
    #[arg(long)]
    token: bool,
    /// Who has the token
    #[arg(long, value_name = "HANDLE", requires = "token")]
    held_by: Option<Handle>,
    /// Where the token is kept
    #[arg(long, value_name = "PLACE", requires = "token")]
    kept_at: Option<Line>,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster account unlink`
#[derive(Debug, Args)]
#[command(
    override_usage = "keymuster account unlink [OPTIONS] <DEVICE> <ACCOUNT…|--tagged <TAG>>",
    after_help = "Example:\n  \
    keymuster account unlink alice/blue prod payments --remark \"lost, deregistered at AWS\""
)]
pub struct Unlink {
    /// The key, such as alice/primary, or the token's name
    #[arg(value_name = "DEVICE")]
    mfa_device: DeviceName,
    #[command(flatten)]
    chosen: Chosen,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    remark: Option<Line>,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster account token`
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = ["held_by", "kept_at"])]
#[command(after_help = "Example:\n  keymuster account token prod phone --held-by carol")]
pub struct Token {
    /// The account, by handle or id
    account: String,
    /// The token's name
    token: Handle,
    /// Who has it
    #[arg(long, value_name = "HANDLE")]
    held_by: Option<Handle>,
    /// Where it is kept
    #[arg(long, value_name = "PLACE")]
    kept_at: Option<Line>,
    #[command(flatten)]
    signers: Signing,
}

/// Fails where a token is meant and not said to be one, or the other way round: a slip of the
/// keyboard mustn't make a token of a key.
fn check_kind(device: &DeviceName, token: bool) -> Result<(), Failure> {
    let usage = |message: String| Err(Failure::new(exit::USAGE, message));
    match (device, token) {
        (DeviceName::Token(name), false) => {
            let message = format!("{name} isn't the name of a key, such as alice/primary");
            Err(Failure::new(exit::USAGE, message).hint("if it is a token, say so with --token"))
        }
        (DeviceName::Key(key), true) => {
            usage(format!("{key} is the name of a key, not of a token"))
        }
        _ => Ok(()),
    }
}

pub fn link(context: &Context, link: &Link) -> Result<Answer, Failure> {
    check_kind(&link.mfa_device, link.token)?;
    let linked = |state: &State| -> Result<Vec<Handle>, Failure> {
        // Who names many, some of them a second time, means the others.
        let has = |handle: &Handle| {
            state.accounts().get(handle).is_some_and(|a| a.devices.contains_key(&link.mfa_device))
        };
        let mut accounts = link.chosen.handles(state)?;
        for handle in &accounts {
            let known = state.accounts().get(handle).and_then(|a| a.devices.get(&link.mfa_device));
            if let (Some(known), DeviceName::Token(token)) = (known, &link.mfa_device) {
                check_same(known, link, handle, token)?;
            }
        }
        accounts.retain(|handle| !has(handle));
        Ok(accounts)
    };
    record_and_tell(
        context,
        &link.signers,
        |session, _| {
            let accounts = linked(session.state())?;
            tell_strangers(session, &link.held_by);
            let event = || {
                Event::DeviceLinked(DeviceLinked {
                    device: link.mfa_device.clone(),
                    accounts: accounts.clone(),
                    holder: link.held_by.clone(),
                    place: link.kept_at.clone(),
                })
            };
            Ok((!accounts.is_empty()).then(event).into_iter().collect())
        },
        |state| match link.chosen.handles(state) {
            Ok(accounts) => concerns::told(state, &accounts),
            Err(_) => String::new(),
        },
    )
}

/// Fails where a token that is linked already would be with somebody else, or elsewhere.
fn check_same(
    known: &Device,
    link: &Link,
    account: &Handle,
    token: &Handle,
) -> Result<(), Failure> {
    if device_is(known, link.held_by.as_ref(), link.kept_at.as_ref()) {
        return Ok(());
    }
    let message = format!("{account} has a token {token} already, which is elsewhere");
    Err(Failure::new(exit::USAGE, message).hint(format!(
        "keymuster account token {account} {token} --held-by WHO --kept-at PLACE records that it moved"
    )))
}

/// Whether a token is with this person, and at this place, as far as they are given.
fn device_is(device: &Device, holder: Option<&Handle>, place: Option<&Line>) -> bool {
    holder.is_none_or(|who| device.holder.as_ref() == Some(who))
        && place.is_none_or(|place| device.place.as_ref() == Some(place))
}

pub fn unlink(context: &Context, unlink: &Unlink) -> Result<Answer, Failure> {
    let events = |session: &Session<'_>, _: &KeyName| {
        Ok(vec![Event::DeviceUnlinked(DeviceUnlinked {
            device: unlink.mfa_device.clone(),
            accounts: unlink.chosen.handles(session.state())?,
            remark: unlink.remark.clone(),
        })])
    };
    record_and_tell(context, &unlink.signers, events, |state| {
        let Ok(accounts) = unlink.chosen.handles(state) else { return String::new() };
        let known = accounts.iter().filter_map(|account| state.accounts().get(account));
        let is_its = |name: &&Handle| {
            let token = state.secrets().get(*name).and_then(|secret| secret.token.clone());
            token.is_some_and(|token| unlink.mfa_device == DeviceName::Token(token))
        };
        let kept = known.flat_map(|account| &account.secrets).filter(is_its);
        let kept: String =
            kept.map(|name| format!("Its seed is in custody still, as {name}.\n")).collect();
        kept + &concerns::told(state, &accounts)
    })
}

pub fn token(context: &Context, token: &Token) -> Result<Answer, Failure> {
    record_events(context, &token.signers, |session, _| {
        let state = session.state();
        let account = named(state, &token.account)?;
        tell_strangers(session, &token.held_by);
        let device = DeviceName::Token(token.token.clone());
        let known = state.accounts().get(&account).and_then(|a| a.devices.get(&device));
        let is_known =
            |device: &Device| device_is(device, token.held_by.as_ref(), token.kept_at.as_ref());
        let moved = || {
            Event::TokenMoved(TokenMoved {
                account,
                token: token.token.clone(),
                holder: token.held_by.clone(),
                place: token.kept_at.clone(),
            })
        };
        Ok((!known.is_some_and(is_known)).then(moved).into_iter().collect())
    })
}
