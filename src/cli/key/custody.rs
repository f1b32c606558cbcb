//! `keymuster key move`, `hand-over`, `seal`, `open-bag`: where a key is, and who has it.

use clap::Args;

use super::report::{check_enrolled, or_opener};
use crate::cli::context::Context;
use crate::cli::cosigners::Signing;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::cli::signing::record_events;
use crate::record::{BagOpened, BagSealed, Event, Handle, KeyHandedOver, KeyMoved, KeyName, Line};

/// `keymuster key move`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keymuster key move bob/blue --to \"safe 2, Leeds\" --pin-to \"safe 1, York\""
)]
pub struct Move {
    /// Which key
    key: KeyName,
    /// Where it is kept from now on
    #[arg(long, value_name = "PLACE", required_unless_present = "pin_to")]
    to: Option<Line>,
    /// Where the envelope with its PIN is kept from now on
    #[arg(long, value_name = "PLACE")]
    pin_to: Option<Line>,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster key hand-over`
#[derive(Debug, Args)]
#[command(
    after_help = "Giver and taker both sign.\n\nExample:\n  keymuster key hand-over alice/green --to carol"
)]
pub struct HandOver {
    /// Which key
    key: KeyName,
    /// Who takes it
    #[arg(long, value_name = "HANDLE")]
    to: Handle,
    /// Where it is kept from now on
    #[arg(long, value_name = "PLACE")]
    place: Option<Line>,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster key seal`
#[derive(Debug, Args)]
#[command(
    after_help = "Whoever seals it and the witness both sign.\n\nExample:\n  keymuster key seal alice/green --bag 0047113 --witness bob"
)]
pub struct Seal {
    /// Which key
    key: KeyName,
    /// The serial number that is printed on the bag
    #[arg(long, value_name = "SERIAL")]
    bag: Line,
    /// Who sees it done
    #[arg(long, value_name = "HANDLE")]
    witness: Handle,
    /// Who seals it; else whoever opens the vault
    #[arg(long, value_name = "HANDLE")]
    sealer: Option<Handle>,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster key open-bag`
#[derive(Debug, Args)]
#[command(
    after_help = "Whoever opens it and the witness both sign. Read the serial number off the bag before you\n\
    look it up: one that isn't the recorded one is a finding.\n\n\
    Example:\n  keymuster key open-bag alice/green --bag 0047113 --witness bob"
)]
pub struct OpenBag {
    /// Which key is in it
    key: KeyName,
    /// The serial number as it is on the bag
    #[arg(long, value_name = "SERIAL")]
    bag: Line,
    /// The seal was broken
    #[arg(long)]
    broken: bool,
    /// Who sees it done
    #[arg(long, value_name = "HANDLE")]
    witness: Handle,
    /// Who opens it; else whoever opens the vault
    #[arg(long, value_name = "HANDLE")]
    opener: Option<Handle>,
    #[command(flatten)]
    signers: Signing,
}

pub fn move_key(context: &Context, moved: &Move) -> Result<Answer, Failure> {
    record_events(context, &moved.signers, |session, _| {
        check_enrolled(session.state(), &moved.key)?;
        Ok(vec![Event::KeyMoved(KeyMoved {
            key: moved.key.clone(),
            place: moved.to.clone(),
            pin_place: moved.pin_to.clone(),
        })])
    })
}

pub fn hand_over(context: &Context, over: &HandOver) -> Result<Answer, Failure> {
    record_events(context, &over.signers, |session, opener| {
        check_enrolled(session.state(), &over.key)?;
        let state = session.state();
        let holder = state.keys().get(&over.key).map(|key| key.holder.clone());
        let has_left = |holder: &Handle| !state.custodians().contains_key(holder);
        // Whoever takes a key back from a leaver gives it on.
        let owner = Some(over.key.owner.clone());
        let holder = holder.filter(|holder| !has_left(holder));
        let holder = holder.or(owner).filter(|holder| !has_left(holder));
        Ok(vec![Event::KeyHandedOver(KeyHandedOver {
            key: over.key.clone(),
            giver: or_opener(holder.as_ref(), opener),
            taker: over.to.clone(),
            place: over.place.clone(),
        })])
    })
}

pub fn seal(context: &Context, seal: &Seal) -> Result<Answer, Failure> {
    record_events(context, &seal.signers, |session, opener| {
        check_enrolled(session.state(), &seal.key)?;
        Ok(vec![Event::BagSealed(BagSealed {
            key: seal.key.clone(),
            bag: seal.bag.clone(),
            sealer: by_whom(session, &seal.key, seal.sealer.as_ref(), &seal.witness, opener),
            witness: seal.witness.clone(),
        })])
    })
}

pub fn open_bag(context: &Context, open: &OpenBag) -> Result<Answer, Failure> {
    record_events(context, &open.signers, |session, opener| {
        check_enrolled(session.state(), &open.key)?;
        Ok(vec![Event::BagOpened(BagOpened {
            key: open.key.clone(),
            bag: open.bag.clone(),
            intact: !open.broken,
            opener: by_whom(session, &open.key, open.opener.as_ref(), &open.witness, opener),
            witness: open.witness.clone(),
        })])
    })
}

/// Who seals a key or takes it out: whoever was named, else whoever opened the vault, unless
/// they are the witness: then whoever has the key.
fn by_whom(
    session: &Session<'_>,
    key: &KeyName,
    named: Option<&Handle>,
    witness: &Handle,
    opener: &KeyName,
) -> Handle {
    match session.state().keys().get(key) {
        Some(known) if opener.owner == *witness && named.is_none() => known.holder.clone(),
        _ => or_opener(named, opener),
    }
}
