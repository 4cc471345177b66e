//! Keys that tokens are verified with, and the certificate files that hold them.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jsonwebtoken::DecodingKey;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::rsa_key_value::without_zeros;
use erp_host_files::read_trusted;

/// A token may be verified with every key, so their number is limited.
pub(super) const MOST_KEYS: usize = 32;

/// The largest file with certificates.
const MAX_CERTIFICATES: u64 = 1 << 20;

/// Sizes of keys that are accepted, in bits.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key of SuperOffice's.
pub(super) struct VerificationKey {
    pub(super) key: DecodingKey,
    /// Its key ID: `kid` of a token's header.
    pub(super) id: Option<String>,
    /// Its name in messages.
    pub(super) label: String,
    /// The first and the last moment when it may be used.
    validity: Option<[SystemTime; 2]>,
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl VerificationKey {
    /// From a modulus and an exponent, big-endian.
    pub(super) fn new(
        modulus: &[u8],
        exponent: &[u8],
        id: Option<String>,
        label: String,
    ) -> Result<Self, String> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let bits = modulus.len() * 8;
        if !BITS.contains(&bits) {
            return Err(format!("its key has {bits} bits, expected {} to {}", BITS.start(), BITS.end()));
        }
        let is_usable =
            exponent.len() <= 4 && exponent.last().is_some_and(|last| last % 2 == 1) && exponent != [1];
        if !is_usable {
            return Err("its key has an exponent that no RSA key has".to_owned());
        }
        let key = DecodingKey::from_rsa_raw_components(modulus, exponent);
        Ok(VerificationKey { key, id, label, validity: None })
    }

    /// From a certificate in DER.
    fn from_certificate(der: &[u8], file: &Path) -> Result<Self, String> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_| "it is no X.509 certificate".to_owned())?;
        if !rest.is_empty() {
            return Err("something stands behind the certificate".to_owned());
        }
        let Ok(PublicKey::RSA(rsa)) = certificate.public_key().parsed() else {
            return Err("the certificate's key is no RSA key".to_owned());
        };
        let fingerprint: String =
            Sha256::digest(der).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let validity = certificate.validity();
        let label = format!(
            "the certificate {} (sha256 {fingerprint}.., valid from {} to {})",
            file.display(),
            validity.not_before,
            validity.not_after
        );
        let mut key = VerificationKey::new(rsa.modulus, rsa.exponent, None, label)?;
        let time =
            |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        key.validity = Some([time(validity.not_before.timestamp()), time(validity.not_after.timestamp())]);
        Ok(key)
    }

    /// Whether it may be used now, when clocks may differ by `skew`.
    pub(super) fn is_valid(&self, now: SystemTime, skew: Duration) -> bool {
        self.validity.is_none_or(|[from, to]| from <= now + skew && now <= to + skew)
    }
}

/// Reads the certificates of a file: one in DER, or any number in PEM.
///
/// # Errors
/// It cannot be read, or holds something else.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<VerificationKey>, String> {
    let error = |reason: String| format!("the certificate file {}: {reason}", path.display());
    let bytes = read_trusted(path, MAX_CERTIFICATES).map_err(|cause| error(cause.to_string()))?;
    let certificates = if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        all.map_err(|cause| error(format!("it is broken PEM: {cause}")))?
    } else {
        vec![CertificateDer::from(bytes)]
    };
    if certificates.is_empty() {
        return Err(error("it holds no certificate; expected BEGIN CERTIFICATE".to_owned()));
    }
    certificates.iter().map(|der| VerificationKey::from_certificate(der, path).map_err(error)).collect()
}
