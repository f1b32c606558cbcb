//! The key while it is plugged in: takes requests, has OpenSK answer them, writes them down.

use crate::authenticator::{Environment, Shared, Transaction};
use crate::ctaphid::command::{
    CTAPHID_CANCEL, CTAPHID_CBOR, CTAPHID_INIT, CTAPHID_PING, CTAPHID_WINK,
};
use crate::ctaphid::error::{ERR_INVALID_CMD, ERR_INVALID_LEN};
use crate::ctaphid::{Channel, Message};
use crate::hostile::{self, HostileFile, Kind};
use crate::log::{Log, fields};
use crate::port::{Port, Status};
use crate::storage::Storage;
use crate::touch::PolicyFile;
use crate::uhid::{Identity, Uhid};
use opensk::api::customization::{CustomizationImpl, DEFAULT_CUSTOMIZATION};
use opensk::api::persist::{Persist, keys};
use opensk::ctap::command::Command;
use opensk::ctap::{Channel as CtapChannel, CtapState};
use opensk::env::Env;
use serde_json::{Map, Value, json};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// The test ids of pid.codes, which no product bears.
const VENDOR: u32 = 0x1209;
const PRODUCT: u32 = 0x0001;

/// How the key is made.
pub struct Options {
    /// The key's directory.
    pub directory: PathBuf,
    /// The product name.
    pub product: String,
    /// The serial number.
    pub serial: String,
    /// The model.
    pub aaguid: [u8; 16],
    /// How long the key blinks at least.
    pub hold: Duration,
    /// The shortest PIN.
    pub min_pin_length: u8,
    /// How often a PIN may be wrong.
    pub pin_retries: u8,
    /// Whether every use needs the PIN.
    pub always_uv: bool,
    /// Whether PIN protocol 1 is spoken.
    pub pin_protocol_1: bool,
}

impl Options {
    /// A plain key in this directory.
    pub fn new(directory: PathBuf) -> Self {
        let name = directory.file_name().unwrap_or_default();
        Self {
            product: "Virtual FIDO2 Key".to_owned(),
            serial: name.to_string_lossy().into_owned(),
            aaguid: *b"virtual-fido2-k1",
            hold: Duration::from_millis(250),
            min_pin_length: 4,
            pin_retries: 8,
            always_uv: false,
            pin_protocol_1: true,
            directory,
        }
    }
}

/// Plugs the key in and serves the host until the process is killed.
pub fn run(options: &Options) -> io::Result<()> {
    let directory = &options.directory;
    std::fs::create_dir_all(directory)?;
    let mut storage = Storage::open(directory)?;
    storage
        .insert(keys::AAGUID, &options.aaguid)
        .map_err(|code| io::Error::other(format!("can't keep the state: {code:?}")))?;
    let log = Log::open(directory)?;
    let identity = Identity {
        product: &options.product,
        serial: &options.serial,
        vendor: VENDOR,
        product_id: PRODUCT,
    };
    log.write(
        "plugged",
        fields([("product", json!(options.product)), ("serial", json!(options.serial))]),
    );
    let port = Port::new(Uhid::create(&identity)?);
    let shared = Shared::new(port, log, PolicyFile::new(directory), options.hold);
    let customization = CustomizationImpl {
        allows_pin_protocol_v1: options.pin_protocol_1,
        default_min_pin_length: options.min_pin_length,
        max_pin_retries: options.pin_retries,
        enforce_always_uv: options.always_uv,
        ..DEFAULT_CUSTOMIZATION
    };
    let mut environment = Environment::new(storage, customization, &shared);
    let mut key = Key {
        state: CtapState::new(&mut environment),
        environment,
        shared,
        hostile: HostileFile::new(directory),
        commands: 0,
    };
    loop {
        key.serve_one_message()?;
    }
}

struct Key {
    state: CtapState<Environment>,
    environment: Environment,
    shared: Rc<Shared>,
    hostile: HostileFile,
    commands: u64,
}

impl Key {
    fn serve_one_message(&mut self) -> io::Result<()> {
        let message = self.shared.port.borrow_mut().next_message()?;
        if self.hostile.read().is_some_and(|hostile| hostile.is_dead()) {
            return Ok(());
        }
        let mut port = self.shared.port.borrow_mut();
        match message.command {
            CTAPHID_CBOR => {
                drop(port);
                self.serve_command(&message)
            }
            CTAPHID_INIT => port.answer_init(&message),
            CTAPHID_PING => port.echo(&message),
            CTAPHID_WINK if message.payload.is_empty() => {
                self.shared.log.write("wink", Map::new());
                port.echo(&message)
            }
            CTAPHID_WINK => port.refuse(message.channel, ERR_INVALID_LEN),
            CTAPHID_CANCEL => {
                let during = ("during", Value::Null);
                self.shared.log.write("cancel", fields([during]));
                Ok(())
            }
            _ => port.refuse(message.channel, ERR_INVALID_CMD),
        }
    }

    fn serve_command(&mut self, message: &Message) -> io::Result<()> {
        self.commands += 1;
        let transaction = Transaction { id: self.commands, channel: message.channel };
        let (name, mut entry) = describe(&message.payload);
        entry.extend(fields([("id", json!(transaction.id)), ("command", json!(name))]));
        self.shared.log.write("begin", entry.clone());
        let hostile = self.hostile.read().filter(|h| h.applies_to(name));
        if let Some(hostile) = &hostile {
            let id = ("id", json!(transaction.id));
            let kind = ("kind", json!(hostile.kind.word()));
            self.shared.log.write("hostile", fields([id, kind]));
        }
        let hostile = hostile.map(|h| h.kind);
        let answer = match hostile {
            Some(
                Kind::Silence | Kind::Garbage | Kind::EndlessKeepalives | Kind::EndlessBlinking,
            ) => {
                self.misbehave(hostile, message.channel)?;
                None
            }
            Some(Kind::Nested) => Some(hostile::nested_answer()),
            Some(Kind::LyingLength) => Some(hostile::lying_answer()),
            None | Some(Kind::Truncated | Kind::Flipped | Kind::ForeignChannel) => {
                self.process(message, name, transaction)?
            }
        };
        entry.insert(
            "status".to_owned(),
            json!(answer.as_deref().and_then(|answer| answer.first())),
        );
        // Written before the host can see the answer, so that a test which waited for its
        // program finds the line.
        self.shared.log.write("command", entry);
        let Some(mut payload) = answer else {
            return Ok(());
        };
        let mut channel = message.channel;
        let well = payload.len() > 1;
        match (hostile, payload.last_mut()) {
            (Some(Kind::Truncated), _) => payload.truncate(payload.len() / 2),
            (Some(Kind::Flipped), Some(last)) if well => *last ^= 1,
            (Some(Kind::ForeignChannel), _) => channel = [0x7f; 4],
            _ => {}
        }
        self.shared.port.borrow().answer(&Message { channel, command: CTAPHID_CBOR, payload })
    }

    /// Has OpenSK answer; there is no answer if the host has called the command off.
    fn process(
        &mut self,
        message: &Message,
        name: &str,
        transaction: Transaction,
    ) -> io::Result<Option<Vec<u8>>> {
        let port = self.shared.port.borrow();
        // Keys of metal say at once that these two take a while.
        if matches!(name, "makeCredential" | "getAssertion") {
            port.keep_waiting(message.channel, Status::Processing)?;
        } else {
            port.begin(message.channel);
        }
        drop(port);
        self.shared.transaction.set(Some(transaction));
        let channel = CtapChannel::MainHid(message.channel);
        let answer = self.state.process_command(&mut self.environment, &message.payload, channel);
        Ok(self.shared.transaction.take().map(|_| answer))
    }

    fn misbehave(&mut self, kind: Option<Kind>, channel: Channel) -> io::Result<()> {
        let port = self.shared.port.borrow();
        match kind {
            Some(Kind::Garbage) => {
                let packets = hostile::garbage(channel, self.environment.rng());
                packets.iter().try_for_each(|packet| port.send_raw(packet))
            }
            Some(Kind::EndlessKeepalives) => port.keep_waiting(channel, Status::Processing),
            Some(Kind::EndlessBlinking) => port.keep_waiting(channel, Status::UserPresenceNeeded),
            _ => Ok(()),
        }
    }
}

/// Names a command as the specification does, and says what it asks for.
fn describe(payload: &[u8]) -> (&'static str, Map<String, Value>) {
    let Ok(command) = Command::deserialize(payload) else {
        let number = ("number", json!(payload.first()));
        return ("unreadable", fields([number]));
    };
    match command {
        Command::AuthenticatorMakeCredential(p) => {
            let entry = fields([
                ("rpId", json!(p.rp.rp_id)),
                ("rk", json!(p.options.rk)),
                ("uv", json!(p.options.uv)),
                ("pinAuth", json!(p.pin_uv_auth_param.is_some())),
                ("hmacSecret", json!(p.extensions.hmac_secret)),
                ("credentials", json!(p.exclude_list.map_or(0, |l| l.len()))),
            ]);
            ("makeCredential", entry)
        }
        Command::AuthenticatorGetAssertion(p) => {
            let entry = fields([
                ("rpId", json!(p.rp_id)),
                ("up", json!(p.options.up)),
                ("uv", json!(p.options.uv)),
                ("pinAuth", json!(p.pin_uv_auth_param.is_some())),
                ("hmacSecret", json!(p.extensions.hmac_secret.is_some())),
                ("credentials", json!(p.allow_list.map_or(0, |l| l.len()))),
            ]);
            ("getAssertion", entry)
        }
        Command::AuthenticatorClientPin(p) => {
            // OpenSK names the variants as the specification does, but in Rust's case.
            let name = format!("{:?}", p.sub_command);
            let name = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
            let entry = fields([
                ("subcommand", json!(name)),
                ("permissions", json!(p.permissions)),
                ("rpId", json!(p.permissions_rp_id)),
            ]);
            ("clientPIN", entry)
        }
        Command::AuthenticatorGetInfo => ("getInfo", Map::new()),
        Command::AuthenticatorReset => ("reset", Map::new()),
        Command::AuthenticatorGetNextAssertion => ("getNextAssertion", Map::new()),
        Command::AuthenticatorCredentialManagement(_) => ("credentialManagement", Map::new()),
        Command::AuthenticatorSelection => ("selection", Map::new()),
        Command::AuthenticatorLargeBlobs(_) => ("largeBlobs", Map::new()),
        Command::AuthenticatorConfig(_) => ("config", Map::new()),
    }
}
