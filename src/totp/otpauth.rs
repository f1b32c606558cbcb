//! The URI that QR codes for authenticator apps hold: `otpauth://totp/LABEL?secret=…`, as
//! Google's Key URI Format has it.
//!
//! Apps disagree about a URI that says a thing twice. Here it is refused, for nobody could
//! tell which of the two the device took.

use std::fmt;

use percent_encoding::percent_decode_str;
use thiserror::Error;
use zeroize::Zeroizing;

use super::code::{Algorithm, Parameters, UnfitParameters};
use super::seed::{Seed, Strength, UnfitSeed};
use crate::text::sanitise;

/// A seed with its parameters and the names that came with it.
#[derive(Debug)]
pub struct Enrolment {
    /// The seed.
    pub seed: Seed,
    /// How codes are made of it.
    pub parameters: Parameters,
    /// Whose service it is, such as `Amazon Web Services`; sanitised.
    pub issuer: Option<String>,
    /// Which account it is, such as `root-account-mfa-device@123456789012`; sanitised.
    pub account: Option<String>,
}

/// The longest URI, in bytes.
pub const MAX: usize = 4096;

/// Why a text is no URI of a TOTP seed. None of these shows the seed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum UnfitUri {
    /// Something else.
    #[error("it doesn't begin with otpauth://totp/")]
    NotOtpauth,
    /// Codes by a counter.
    #[error("it is of a counter-based device (HOTP), whose codes don't go by time")]
    Hotp,
    /// An export of several seeds.
    #[error(
        "it is an export of an authenticator app (otpauth-migration), which may hold many seeds"
    )]
    Migration,
    /// Too long.
    #[error("it is longer than {MAX} bytes")]
    Long,
    /// A parameter that is there twice.
    #[error("it has the parameter {0} twice")]
    Twice(Parameter),
    /// The label and the parameter name two issuers.
    #[error("its label and its parameter name two different issuers")]
    TwoIssuers,
    /// Percent signs that are no UTF-8.
    #[error("its {0} isn't percent-encoded UTF-8")]
    NotText(&'static str),
    /// No seed.
    #[error("it has no secret")]
    NoSecret,
    /// A seed that is none.
    #[error("its secret is no seed: {0}")]
    Seed(#[from] UnfitSeed),
    /// A hash that no device has.
    #[error("its algorithm is none of SHA1, SHA256 and SHA512")]
    Algorithm,
    /// Something that should be a number.
    #[error("its {0} isn't a number")]
    NotANumber(Parameter),
    /// Parameters that can't be.
    #[error(transparent)]
    Parameters(#[from] UnfitParameters),
}

/// A parameter that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parameter {
    /// The seed in base32.
    Secret,
    /// Whose service it is.
    Issuer,
    /// The hash.
    Algorithm,
    /// How many digits.
    Digits,
    /// How many seconds.
    Period,
}

impl Parameter {
    const ALL: [(&'static str, Self); 5] = [
        ("secret", Self::Secret),
        ("issuer", Self::Issuer),
        ("algorithm", Self::Algorithm),
        ("digits", Self::Digits),
        ("period", Self::Period),
    ];

    fn named(name: &str) -> Option<Self> {
        let is_it = |(known, _): &&(&str, Self)| name.eq_ignore_ascii_case(known);
        Self::ALL.iter().find(is_it).map(|(_, parameter)| *parameter)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, known)| known == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl Enrolment {
    /// Reads a URI. Parameters that aren't known mean nothing, such as `image`.
    pub fn parse(uri: &str, strength: Strength) -> Result<Self, UnfitUri> {
        let uri = uri.trim();
        if uri.len() > MAX {
            return Err(UnfitUri::Long);
        }
        let after = |prefix: &str| {
            let is_it =
                uri.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
            if is_it { uri.get(prefix.len()..) } else { None }
        };
        if after("otpauth-migration:").is_some() {
            return Err(UnfitUri::Migration);
        }
        if after("otpauth://hotp/").is_some() {
            return Err(UnfitUri::Hotp);
        }
        let rest = after("otpauth://totp/").ok_or(UnfitUri::NotOtpauth)?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (label, query) = rest.split_once('?').unwrap_or((rest, ""));
        let given = Given::read(query)?;

        let secret = given.get(Parameter::Secret).ok_or(UnfitUri::NoSecret)?;
        let seed = Seed::from_base32(secret, strength)?;
        let algorithm = match given.get(Parameter::Algorithm) {
            None => Algorithm::default(),
            Some(name) => algorithm(name).ok_or(UnfitUri::Algorithm)?,
        };
        let default = Parameters::default();
        let digits = given.number(Parameter::Digits)?.unwrap_or(default.digits().into());
        let period = given.number(Parameter::Period)?.unwrap_or(default.period());
        let parameters = Parameters::new(algorithm, digits, period)?;

        let label = decoded(label, false, "label")?;
        let (label_issuer, account) = match label.split_once(':') {
            Some((issuer, account)) => (Some(issuer), account),
            None => (None, label.as_str()),
        };
        let issuer = given.get(Parameter::Issuer).map(|name| name.as_str());
        if let (Some(one), Some(other)) = (label_issuer, issuer)
            && one.trim() != other.trim()
        {
            return Err(UnfitUri::TwoIssuers);
        }
        let shown = |text: &str| {
            let text = sanitise(text.trim(), 200);
            (!text.is_empty()).then_some(text)
        };
        let issuer = issuer.or(label_issuer).and_then(shown);
        Ok(Self { seed, parameters, issuer, account: shown(account) })
    }
}

/// The hash that a URI or a person names.
pub fn algorithm(name: &str) -> Option<Algorithm> {
    let plain = name.replace('-', "").to_ascii_uppercase();
    match plain.strip_prefix("HMAC").unwrap_or(&plain) {
        "SHA1" => Some(Algorithm::Sha1),
        "SHA256" => Some(Algorithm::Sha256),
        "SHA512" => Some(Algorithm::Sha512),
        _ => None,
    }
}

/// The parameters that a URI gives, each once.
struct Given(Vec<(Parameter, Zeroizing<String>)>);

impl Given {
    fn read(query: &str) -> Result<Self, UnfitUri> {
        let mut given = Self(Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name, true, "query")?;
            let Some(parameter) = Parameter::named(&name) else { continue };
            if given.get(parameter).is_some() {
                return Err(UnfitUri::Twice(parameter));
            }
            given.0.push((parameter, decoded(value, true, "query")?));
        }
        Ok(given)
    }

    fn get(&self, parameter: Parameter) -> Option<&Zeroizing<String>> {
        self.0.iter().find(|(known, _)| *known == parameter).map(|(_, value)| value)
    }

    fn number(&self, parameter: Parameter) -> Result<Option<u64>, UnfitUri> {
        let digits = |value: &&Zeroizing<String>| value.bytes().all(|byte| byte.is_ascii_digit());
        let number = |value: &Zeroizing<String>| {
            Some(value).filter(digits).and_then(|value| value.parse().ok())
        };
        let read = |value| number(value).ok_or(UnfitUri::NotANumber(parameter));
        self.get(parameter).map(read).transpose()
    }
}

/// Percent-decoded text; `+` stands for a blank in a query.
fn decoded(text: &str, plus: bool, what: &'static str) -> Result<Zeroizing<String>, UnfitUri> {
    let text = Zeroizing::new(if plus { text.replace('+', " ") } else { text.to_owned() });
    let bytes = Zeroizing::new(percent_decode_str(&text).collect::<Vec<u8>>());
    let decoded = std::str::from_utf8(&bytes).map_err(|_| UnfitUri::NotText(what))?;
    Ok(Zeroizing::new(decoded.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn parse(uri: &str) -> Result<Enrolment, UnfitUri> {
        Enrolment::parse(uri, Strength::Rfc4226)
    }

    #[test]
    fn what_aws_shows_is_read() {
        let uri = format!(
            "otpauth://totp/Amazon%20Web%20Services:root-account-mfa-device@123456789012?{SECRET}\
             &issuer=Amazon%20Web%20Services"
        );
        let read = parse(&uri).unwrap();
        assert_eq!(read.parameters, Parameters::default());
        assert_eq!(read.issuer.as_deref(), Some("Amazon Web Services"));
        assert_eq!(read.account.as_deref(), Some("root-account-mfa-device@123456789012"));
        assert_eq!(read.seed.bits(), 160);
        assert!(!format!("{read:?}").contains("GEZD"));
    }

    #[test]
    fn parameters_are_read_in_any_order_and_case() {
        let uri =
            format!("OTPAUTH://TOTP/x?Period=60&DIGITS=8&{SECRET}&algorithm=sha-256&image=y#z");
        let read = parse(&uri).unwrap();
        assert_eq!(read.parameters, Parameters::new(Algorithm::Sha256, 8, 60).unwrap());
        assert_eq!((read.issuer, read.account.as_deref()), (None, Some("x")));
        for (name, hash) in [
            ("SHA1", Algorithm::Sha1),
            ("HMACSHA256", Algorithm::Sha256),
            ("HmacSHA512", Algorithm::Sha512),
        ] {
            assert_eq!(algorithm(name), Some(hash));
        }
        let bare = parse(&format!("otpauth://totp/?{SECRET}&issuer=A+B%2BC")).unwrap();
        assert_eq!((bare.issuer.as_deref(), bare.account), (Some("A B+C"), None));
    }

    #[test]
    fn what_says_a_thing_twice_is_refused() {
        for (name, value) in [
            ("secret", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            ("SECRET", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"),
            ("algorithm", "SHA1"),
            ("digits", "6"),
            ("period", "30"),
            ("issuer", "A"),
        ] {
            let uri = format!(
                "otpauth://totp/A:b?{SECRET}&algorithm=SHA1&digits=6&period=30&issuer=A&{name}={value}"
            );
            assert!(matches!(parse(&uri), Err(UnfitUri::Twice(_))), "{name}");
        }
        let issuers = format!("otpauth://totp/A:b?{SECRET}&issuer=B");
        assert_eq!(parse(&issuers).unwrap_err(), UnfitUri::TwoIssuers);
    }

    #[test]
    fn what_is_no_uri_of_a_seed_is_refused_by_name() {
        let of = |rest: &str| format!("otpauth://totp/x?{rest}");
        let short = UnfitUri::Seed(UnfitSeed::Short(80));
        for (uri, unfit) in [
            ("https://example.com/".to_owned(), UnfitUri::NotOtpauth),
            ("otpauth://totp".to_owned(), UnfitUri::NotOtpauth),
            ("ö".repeat(20), UnfitUri::NotOtpauth),
            (format!("otpauth://hotp/x?{SECRET}&counter=1"), UnfitUri::Hotp),
            ("otpauth-migration://offline?data=abc".to_owned(), UnfitUri::Migration),
            (of(""), UnfitUri::NoSecret),
            (of("secret"), UnfitUri::Seed(UnfitSeed::Empty)),
            (of("secret=GEZDGNBVGY3TQOJQ"), short),
            (of(&format!("{SECRET}&digits=9")), UnfitUri::Parameters(UnfitParameters::Digits(9))),
            (of(&format!("{SECRET}&digits=six")), UnfitUri::NotANumber(Parameter::Digits)),
            (of(&format!("{SECRET}&period=+30")), UnfitUri::NotANumber(Parameter::Period)),
            (of(&format!("{SECRET}&period=")), UnfitUri::NotANumber(Parameter::Period)),
            (of(&format!("{SECRET}&algorithm=MD5")), UnfitUri::Algorithm),
            (of(&format!("{SECRET}&issuer=%FF")), UnfitUri::NotText("query")),
            (format!("otpauth://totp/%FF?{SECRET}"), UnfitUri::NotText("label")),
            (of(&"x".repeat(MAX)), UnfitUri::Long),
        ] {
            assert_eq!(parse(&uri).unwrap_err(), unfit, "{uri}");
        }
    }

    #[test]
    fn names_that_could_fool_a_terminal_are_shown_plain() {
        let read = parse(&format!("otpauth://totp/a%1b%5b2J%E2%80%AEb?{SECRET}")).unwrap();
        let account = read.account.unwrap();
        assert!(!account.contains(['\u{1b}', '\u{202e}']), "{account:?}");
    }
}
