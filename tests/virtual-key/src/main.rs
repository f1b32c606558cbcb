//! The command line of the virtual key; see the library for what it does.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use virtual_key::Options;

const USAGE: &str = "\
usage: virtual-key DIR [--name PRODUCT] [--serial SERIAL] [--aaguid HEX] [--hold MS]
                       [--min-pin N] [--pin-retries N] [--always-uv]
                       [--only-pin-protocol-2]

Plugs a virtual FIDO2 key in and stays until it is killed.

  --name PRODUCT         the product name the host sees (HID_NAME)
  --serial SERIAL        the serial number the host sees (HID_UNIQ); DIR's name by default
  --aaguid HEX           the model, 32 hexadecimal digits
  --hold MS              how long the key blinks at least before a touch counts (250)
  --min-pin N            the shortest PIN it takes (4)
  --pin-retries N        how often a PIN may be wrong, 1 to 8 (8)
  --always-uv            every use needs the PIN
  --only-pin-protocol-2  refuses PIN protocol 1";

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(complaint) => {
            eprintln!("virtual-key: {complaint}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match virtual_key::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("virtual-key: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let directory = arguments.next().ok_or("the key's directory is missing")?;
    let mut options = Options::new(PathBuf::from(directory));
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{flag} needs a value"));
        match flag.as_str() {
            "--name" => options.product = value()?,
            "--serial" => options.serial = value()?,
            "--aaguid" => options.aaguid = aaguid(&value()?)?,
            "--hold" => options.hold = Duration::from_millis(number(&value()?)?),
            "--min-pin" => {
                options.min_pin_length = u8::try_from(number(&value()?)?)
                    .ok()
                    .filter(|n| (4..=63).contains(n))
                    .ok_or("--min-pin takes 4 to 63")?;
            }
            "--pin-retries" => {
                options.pin_retries = u8::try_from(number(&value()?)?)
                    .ok()
                    .filter(|n| (1..=8).contains(n))
                    .ok_or("--pin-retries takes 1 to 8")?;
            }
            "--always-uv" => options.always_uv = true,
            "--only-pin-protocol-2" => options.pin_protocol_1 = false,
            _ => return Err(format!("unknown argument {flag}")),
        }
    }
    Ok(options)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn aaguid(text: &str) -> Result<[u8; 16], String> {
    u128::from_str_radix(text, 16)
        .ok()
        .filter(|_| text.len() == 32)
        .map(u128::to_be_bytes)
        .ok_or_else(|| "an AAGUID is 32 hexadecimal digits".to_owned())
}
