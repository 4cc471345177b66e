//! The partner's private key: signs replies.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use values::DateTime;

use erp_host_files::read_secret;

use super::rsa_key_value;

/// The largest key file: far more than a key of 8192 bits takes.
const MAX_BYTES: u32 = 64 * 1024;

/// The key that a partner got from SuperOffice for a client ID. `Debug` shows nothing of it.
pub(super) struct PartnerKey(KeyPair);

impl fmt::Debug for PartnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartnerKey({} bits)", self.bits())
    }
}

impl PartnerKey {
    /// Reads a key file: `RSAKeyValue` in XML, or PEM (PKCS#1 or PKCS#8).
    ///
    /// # Errors
    /// It cannot be read, others can read it too, or there is no such key in it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let error = |reason: String| format!("the private key file {}: {reason}", path.display());
        let bytes = read_secret(path, MAX_BYTES).map_err(|cause| error(cause.to_string()))?;
        PartnerKey::parse(&bytes).map_err(error)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text =
            contract::decode(bytes, None).map_err(|_| "it is no text; expected XML or PEM".to_owned())?;
        let text = std::str::from_utf8(&text).map_err(|_| "it is no UTF-8".to_owned())?;
        if text.trim_start().starts_with('<') {
            return rsa_key_value::read(text.trim_start()).map(PartnerKey);
        }
        let expected =
            "expected <RSAKeyValue> in XML, or PEM with BEGIN RSA PRIVATE KEY or BEGIN PRIVATE KEY";
        if text.contains("ENCRYPTED") {
            return Err(format!("it is encrypted, and nobody is there to type a password; {expected}"));
        }
        let rejected = |_| "it is no RSA key of 2048 to 8192 bits".to_owned();
        match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs1(der)) => {
                KeyPair::from_der(der.secret_pkcs1_der()).map_err(rejected).map(PartnerKey)
            }
            Ok(PrivateKeyDer::Pkcs8(der)) => {
                KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(rejected).map(PartnerKey)
            }
            _ => Err(format!("it holds no private key; {expected}")),
        }
    }

    /// How long the key is.
    pub(super) fn bits(&self) -> usize {
        self.0.public_modulus_len() * 8
    }

    /// `<nonce>.<yyyyMMddHHmm in UTC>.<signature over both>` (contract page, section 6); `None` when it cannot be signed.
    pub(super) fn answer(&self, nonce: &str, now: SystemTime) -> Option<String> {
        let now = DateTime::from_system_time(now);
        let ((year, month, day), (hour, minute, ..)) = (now.date(), now.time());
        let mut answer = format!("{nonce}.{year:04}{month:02}{day:02}{hour:02}{minute:02}");
        let mut signature = vec![0; self.0.public_modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), answer.as_bytes(), &mut signature);
        signed.ok()?;
        answer.push('.');
        STANDARD.encode_string(signature, &mut answer);
        Some(answer)
    }
}
