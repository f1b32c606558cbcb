//! Agreement with a peer: `oathtool`, of the OATH Toolkit.

use data_encoding::BASE32_NOPAD;
use keymuster::totp::{Algorithm, Generator, Parameters, Seed, Strength};

use super::demo_vault::tool;
use super::{below, is_long, random};

#[test]
fn oathtool_makes_the_same_codes() {
    let rounds = if is_long() { 10_000 } else { 200 };
    let algorithms =
        [("sha1", Algorithm::Sha1), ("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)];
    for round in 0..rounds {
        let (hash, algorithm) = algorithms[round % 3];
        let length = usize::try_from(1 + below(64)).unwrap();
        let text = BASE32_NOPAD.encode(&random::<64>()[..length]);
        let (digits, period, seconds) = (6 + below(3), 1 + below(3600), below(20_000_000_000));
        let parameters = Parameters::new(algorithm, digits, period).unwrap();
        let seed = Seed::from_base32(&text, Strength::Any).unwrap();
        let code = Generator::new(&seed, parameters).code(parameters.step_at(seconds));
        let (totp, digits) = (format!("--totp={hash}"), format!("--digits={digits}"));
        let (period, now) = (format!("--time-step-size={period}s"), format!("--now=@{seconds}"));
        let arguments = [&totp, &digits, &period, &now, "--base32", "-"];
        let theirs = tool("oathtool", &arguments, text.as_bytes());
        let theirs = String::from_utf8(theirs).unwrap();
        assert_eq!(*code.expose(), theirs.trim(), "{arguments:?} of {length} bytes");
    }
    println!("{rounds} codes are those of oathtool");
}
