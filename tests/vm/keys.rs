//! Virtual keys, as a trial handles them: plug in, touch, count the touches, unplug.

use crate::machine::VIRTUAL_KEY;
use crate::run::wait_until;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What the person does when the key blinks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Touch {
    /// Touches it.
    Accept,
    /// Declines.
    Deny,
    /// Lets the key give up after this time.
    Timeout { ms: u64 },
    /// Never touches it, and the key never gives up.
    Wait,
    /// Touches it after this time.
    Delay { ms: u64 },
    /// Touches it so many times from now on, then never.
    Times(usize),
}

/// How a key is made that is not the plain one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Make {
    /// Further arguments of the virtual key's program.
    arguments: Vec<String>,
}

impl Make {
    /// A key that calls itself so.
    pub(crate) fn named(product: &str) -> Self {
        Self::with(&["--name", product])
    }

    /// A key with these arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self { arguments: arguments.iter().map(|&a| a.to_owned()).collect() }
    }
}

/// A virtual key. Dropping it unplugs it.
pub(crate) struct VirtualKey {
    directory: PathBuf,
    serial: String,
    make: Make,
    plugged: Option<Plugged>,
}

struct Plugged {
    process: Child,
    device: String,
}

impl VirtualKey {
    /// Plugs a new plain key in. Two keys may bear the same name; they are not the same key.
    #[track_caller]
    pub(crate) fn plug(name: &str) -> Self {
        Self::plug_made(name, Make::default())
    }

    /// Plugs a new key in that is made in a way of its own.
    #[track_caller]
    pub(crate) fn plug_made(name: &str, make: Make) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let serial = format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let directory = PathBuf::from(format!("/run/keys/{serial}"));
        fs::create_dir_all(&directory).expect("/run can be written to");
        let mut key = Self { directory, serial, make, plugged: None };
        key.replug();
        key
    }

    /// The path of its hidraw device. An unplugged key has none.
    #[track_caller]
    pub(crate) fn device(&self) -> &str {
        let plugged = self.plugged.as_ref();
        &plugged.expect("the key is plugged in").device
    }

    /// Its serial number, other than that of every other key.
    pub(crate) fn serial(&self) -> &str {
        &self.serial
    }

    /// What the person does from now on, even if the key blinks already.
    pub(crate) fn touch(&self, touch: Touch) {
        let words = match touch {
            Touch::Accept => "accept".to_owned(),
            Touch::Deny => "deny".to_owned(),
            Touch::Timeout { ms } => format!("timeout {ms}"),
            Touch::Wait => "wait".to_owned(),
            Touch::Delay { ms } => format!("delay {ms}"),
            Touch::Times(number) => format!("until {}", self.touches_since_plugged() + number),
        };
        self.control("touch", &words);
    }

    /// Makes the key misbehave from the next command on: a kind that the virtual key knows
    /// (`silence`, `garbage`, …; see its module `hostile`), and the command it applies to if
    /// not to all: `"flipped getAssertion"`.
    pub(crate) fn turn_hostile(&self, kind: &str) {
        self.control("hostile", kind);
    }

    /// Makes the key behave again. Keepalives that never end do so with the next command.
    pub(crate) fn turn_honest(&self) {
        let _ = fs::remove_file(self.directory.join("hostile"));
    }

    /// All that happened to the key, in the order it did, over all times it was plugged in.
    #[track_caller]
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.directory.join("log.jsonl")).unwrap_or_default();
        // A line under way has no end yet.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().expect("the log is JSON")
    }

    /// The events of one kind, as the virtual key names them.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        let log = self.log().into_iter();
        log.filter(|event| event["event"] == kind).collect()
    }

    /// The CTAP commands of one name that have ended.
    pub(crate) fn commands(&self, name: &str) -> Vec<Value> {
        let commands = self.events("command").into_iter();
        commands.filter(|c| c["command"] == name).collect()
    }

    /// How many touches were given.
    pub(crate) fn touches(&self) -> usize {
        let touches = self.events("touch").into_iter();
        touches.filter(|t| t["outcome"] == "given").count()
    }

    /// How many touches were given since the key was plugged in last.
    fn touches_since_plugged(&self) -> usize {
        let mut touches = 0;
        for event in self.log() {
            match event["event"].as_str() {
                Some("plugged") => touches = 0,
                Some("touch") if event["outcome"] == "given" => touches += 1,
                _ => {}
            }
        }
        touches
    }

    /// How often the key blinked, whatever came of it.
    pub(crate) fn touches_asked(&self) -> usize {
        self.events("touch-asked").len()
    }

    /// How often a PIN was turned into a token, rightly or wrongly.
    pub(crate) fn pin_tokens(&self) -> usize {
        let commands = self.commands("clientPIN").into_iter();
        commands
            .filter(|c| matches!(c["subcommand"].as_str(), Some(s) if s.starts_with("getPinToken") || s.starts_with("getPinUvAuthToken")))
            .count()
    }

    /// Whether no command is under way.
    pub(crate) fn quiet(&self) -> bool {
        let mut under_way = 0;
        for event in self.log() {
            match event["event"].as_str() {
                Some("plugged") => under_way = 0,
                Some("begin") => under_way += 1,
                Some("command") => under_way -= 1,
                _ => {}
            }
        }
        self.plugged.is_none() || under_way == 0
    }

    /// Whether the key blinks now.
    pub(crate) fn blinks(&self) -> bool {
        !self.quiet() && self.touches_asked() > self.events("touch").len()
    }

    /// Waits until the key blinks.
    #[track_caller]
    pub(crate) fn wait_until_it_blinks(&self) {
        wait_until("the key blinks", || self.blinks());
    }

    /// Pulls the key out, whatever it does.
    pub(crate) fn unplug(&mut self) {
        let Some(mut plugged) = self.plugged.take() else {
            return;
        };
        let _ = plugged.process.kill();
        let _ = plugged.process.wait();
        wait_until("the device is gone", || find(&self.serial).is_none());
    }

    /// Plugs the key in again, with all it keeps; its device may be another one now.
    #[track_caller]
    pub(crate) fn replug(&mut self) {
        self.unplug();
        let mut process = Command::new(VIRTUAL_KEY)
            .arg(&self.directory)
            .args(["--serial", &self.serial])
            .args(&self.make.arguments)
            .stdin(Stdio::null())
            .spawn()
            .expect("the virtual key can be started");
        let mut device = None;
        wait_until("the key has a device", || {
            let ended = process.try_wait().expect("the key is our child");
            assert!(ended.is_none(), "the virtual key ended: {ended:?}");
            device = find(&self.serial);
            device.is_some()
        });
        let device = device.expect("it was found");
        self.plugged = Some(Plugged { process, device });
    }

    /// Files are replaced in one step, as the key may read them at any moment.
    fn control(&self, file: &str, words: &str) {
        let draft = self.directory.join(format!("{file}.new"));
        fs::write(&draft, words)
            .and_then(|()| fs::rename(&draft, self.directory.join(file)))
            .expect("the key's directory can be written to");
    }
}

impl Drop for VirtualKey {
    fn drop(&mut self) {
        // A trial that fails drops its keys while it panics, and must not panic again.
        if let Some(mut plugged) = self.plugged.take() {
            let _ = plugged.process.kill();
            let _ = plugged.process.wait();
        }
    }
}

/// Finds the device node of the key with this serial number.
fn find(serial: &str) -> Option<String> {
    let uniq = format!("HID_UNIQ={serial}");
    let nodes = fs::read_dir("/sys/class/hidraw").ok()?;
    nodes.flatten().find_map(|node| {
        let facts = fs::read_to_string(node.path().join("device/uevent")).ok()?;
        let path = format!("/dev/{}", node.file_name().to_str()?);
        let is_it = facts.lines().any(|line| line == uniq) && Path::new(&path).exists();
        is_it.then_some(path)
    })
}

/// Fails if the machine can't have virtual keys: without them every trial would be void.
pub(crate) fn check_machine() -> Result<(), String> {
    if !Path::new("/dev/uhid").exists() {
        return Err("the machine has no /dev/uhid: the module uhid did not load".to_owned());
    }
    Ok(())
}
