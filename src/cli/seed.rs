//! Seeds as people give them: base32 or an otpauth URI, from a prompt, a file or a descriptor.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::prompt::Question;
use super::qr::QrFlags;
use super::secret_file;
use crate::record::{Fingerprint, Hex};
use crate::totp::otpauth::{Enrolment, UnfitUri};
use crate::totp::{Algorithm, Generator, Parameters, Seed, Strength, UnfitSeed};
use crate::vault::{OpenVault, SecretValue, SeedParameters, UnfitSecret};

/// How codes are made of a seed, where it doesn't say so itself.
#[derive(Debug, Args)]
pub struct SeedForm {
    /// The hash [default: sha1]
    #[arg(long, value_name = "HASH")]
    algorithm: Option<Hash>,
    /// How many digits a code has, 6 to 8 [default: 6]
    #[arg(long, value_name = "N")]
    digits: Option<u64>,
    /// How many seconds a code is shown [default: 30]
    #[arg(long, value_name = "SECONDS")]
    period: Option<u64>,
    /// Take a seed of less than 128 bits, as some old tokens have
    #[arg(long)]
    allow_short_seed: bool,
}

/// The hash that codes are made with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl From<Hash> for Algorithm {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Sha1 => Self::Sha1,
            Hash::Sha256 => Self::Sha256,
            Hash::Sha512 => Self::Sha512,
        }
    }
}

/// A seed that codes can be made of, and what came with it.
pub struct SeedSource {
    /// The seed.
    pub seed: Seed,
    /// How codes are made of it.
    pub parameters: Parameters,
    /// Whose service the URI names.
    pub issuer: Option<String>,
    /// Which account it names.
    pub account: Option<String>,
}

impl SeedSource {
    /// A seed out of custody.
    pub fn stored(value: &SecretValue) -> Result<Self, Failure> {
        let wrong = |error: &(dyn std::error::Error + 'static)| {
            Failure::because(exit::NO, "what is in custody is no seed", error)
        };
        // Whoever stored it was asked about its length.
        let seed =
            Seed::from_base32(value.expose(), Strength::Any).map_err(|error| wrong(&error))?;
        let known = value.seed.as_ref();
        let word = known.map_or("", |known| known.algorithm.as_str());
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.word() == word);
        let (digits, period) = known.map_or((0, 0), |known| (known.digits, known.period));
        let parameters = Parameters::new(
            algorithm.ok_or_else(|| Failure::new(exit::NO, "what is in custody has no hash"))?,
            digits.into(),
            period.into(),
        )
        .map_err(|error| wrong(&error))?;
        Ok(Self { seed, parameters, issuer: None, account: None })
    }

    /// What tells the seed from others in this vault.
    pub fn fingerprint(&self, vault: &OpenVault) -> Result<Option<Fingerprint>, Failure> {
        let key = vault.seed_fingerprint_key();
        let key = key.ok_or_else(|| Failure::new(exit::FAILED, "this log has no entry"))?;
        Ok(self.seed.fingerprint(&key.0).map(Hex))
    }

    /// The same, on its way into custody.
    pub fn to_value(&self) -> Result<SecretValue, UnfitSecret> {
        let parameters = SeedParameters {
            algorithm: self.parameters.algorithm().word().to_owned(),
            digits: self.parameters.digits().into(),
            period: u32::try_from(self.parameters.period()).unwrap_or(u32::MAX),
        };
        SecretValue::new(self.seed.to_base32(), Some(parameters))
    }

    /// What makes its codes.
    pub fn generator(&self) -> Generator {
        Generator::new(&self.seed, self.parameters)
    }
}

impl SeedForm {
    /// What is usual, unless the seed says otherwise itself.
    pub fn plain() -> Self {
        Self { algorithm: None, digits: None, period: None, allow_short_seed: false }
    }

    /// A seed from a picture, from a file, from a descriptor, or else from whoever is asked.
    pub fn given(
        &self,
        context: &Context,
        file: Option<&Path>,
        descriptor: Option<u32>,
        qr: &QrFlags,
    ) -> Result<SeedSource, Failure> {
        if let Some(text) = qr.text(context)? {
            return self.read(&text);
        }
        match (file, descriptor) {
            (Some(file), _) => self.read(&secret_file::read_seed(file, context.interrupted())?),
            (None, Some(number)) => {
                self.read(&secret_file::read_seed_from(number, context.interrupted())?)
            }
            (None, None) => {
                self.asked(context, "give it with --seed-file FILE, --qr FILE or --otpauth-fd N")
            }
        }
    }

    /// Asks for a seed until one is typed.
    pub fn asked(&self, context: &Context, instead: &str) -> Result<SeedSource, Failure> {
        loop {
            let text = context.terminal.ask_hidden(&Question {
                text: "The seed, as base32 or an otpauth URI (not shown): ",
                about: "a seed is needed",
                instead,
            })?;
            match self.read(&text) {
                Err(failure) if failure.exit == exit::FAILED => {
                    context.terminal.say(&format!("{}.", failure.sentence()));
                    failure.hint.iter().for_each(|hint| context.terminal.say(&format!("({hint})")));
                }
                read => return read,
            }
        }
    }

    /// Whether any of it was said.
    pub fn is_given(&self) -> bool {
        self.allow_short_seed
            || self.algorithm.is_some()
            || self.digits.is_some()
            || self.period.is_some()
    }

    /// Reads a seed.
    pub fn read(&self, text: &str) -> Result<SeedSource, Failure> {
        let strength = if self.allow_short_seed { Strength::Any } else { Strength::Rfc4226 };
        let is_uri =
            text.trim_start().get(..7).is_some_and(|start| start.eq_ignore_ascii_case("otpauth"));
        if is_uri {
            if self.algorithm.is_some() || self.digits.is_some() || self.period.is_some() {
                let message = "the otpauth URI says algorithm, digits and period itself";
                return Err(Failure::new(exit::USAGE, message));
            }
            let read = Enrolment::parse(text, strength).map_err(|error| {
                let short = matches!(error, UnfitUri::Seed(UnfitSeed::Short(_)));
                let failure = no_seed(&error, short);
                match error {
                    UnfitUri::TwoIssuers | UnfitUri::NotText("label") => failure
                        .hint("the seed alone will do: what follows secret=, up to the next &"),
                    UnfitUri::Migration => {
                        failure.hint("show one device's QR code, or type its seed")
                    }
                    _ => failure,
                }
            })?;
            let Enrolment { seed, parameters, issuer, account, .. } = read;
            return Ok(SeedSource { seed, parameters, issuer, account });
        }
        let default = Parameters::default();
        let algorithm = self.algorithm.map_or(default.algorithm(), Algorithm::from);
        let digits = self.digits.unwrap_or(default.digits().into());
        let period = self.period.unwrap_or(default.period());
        let parameters = Parameters::new(algorithm, digits, period)
            .map_err(|error| Failure::of(exit::USAGE, &error))?;
        let seed = Seed::from_base32(text, strength)
            .map_err(|error| no_seed(&error, matches!(error, UnfitSeed::Short(_))))?;
        Ok(SeedSource { seed, parameters, issuer: None, account: None })
    }
}

fn no_seed(error: &(dyn std::error::Error + 'static), short: bool) -> Failure {
    let failure = Failure::because(exit::FAILED, "that is no seed", error);
    if short {
        failure.hint("if it is a seed at all, as of an old token, add --allow-short-seed")
    } else {
        failure
    }
}
