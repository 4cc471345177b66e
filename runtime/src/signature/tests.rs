use super::*;

/// Made by `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout`; the signature of "a plugin" by
/// `openssl pkeyutl -sign -rawin`.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA/8sx+l9913IlgvHTrr/9bcg74ksC5tjKFZjs/JT3Vp\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "MCowBQYDK2VwAyEAOI/WvHSyX5YoYULLF0NX7N/s9zmF7SCwIwAgI3QemX0=";
const SIGNATURE: &str =
    "H4132FYBKc3xsClgG8nwOnGOEOCGRUUbSZY9rF8iH9xUQuzPDUN25rQiBojIFRdi1xhyz4AILvCXNFa90f8pCA==";

#[test]
fn signing_key_reads_openssl_keys_and_makes_the_same_signatures() {
    let key = SigningKey::from_pem(PRIVATE).unwrap();
    assert_eq!(key.public().to_string(), PUBLIC);
    assert_eq!(key.sign(b"a plugin").unwrap().to_string(), SIGNATURE);
    let public = PublicKey::parse(PUBLIC).unwrap();
    let signature = Signature::parse(SIGNATURE.as_bytes()).unwrap();
    assert!(public.verifies(b"a plugin", &signature));
    assert!(!public.verifies(b"another plugin", &signature));
    assert_eq!(Signature::parse(&signature.0), Ok(signature), "the bare bytes");
}

#[test]
fn pem_of_a_new_key_can_be_read_again() {
    let key = SigningKey::generate().unwrap();
    let again = SigningKey::from_pem(&key.to_pem().unwrap()).unwrap();
    let public = again.public();
    assert_eq!(public, key.public());
    assert_eq!(PublicKey::parse(&public.to_pem()), Ok(public.clone()));
    assert_eq!(PublicKey::parse(&format!(" {public}\n")), Ok(public.clone()));
    let signature = key.sign(b"bytes").unwrap();
    assert!(public.verifies(b"bytes", &signature));
    assert!(!SigningKey::generate().unwrap().public().verifies(b"bytes", &signature));
    // `Debug` does not show the private key.
    assert_eq!(format!("{key:?}"), format!("SigningKey({public})"));
}

/// The very bytes that `erp-host plugins keygen` has always written.
#[test]
fn pem_is_written_as_before() {
    let key = SigningKey::from_pem(PRIVATE).unwrap();
    assert_eq!(*key.to_pem().unwrap(), PRIVATE);
    assert_eq!(
        key.public().to_pem(),
        format!("-----BEGIN PUBLIC KEY-----\n{PUBLIC}\n-----END PUBLIC KEY-----\n")
    );
}

#[test]
fn pem_and_signature_of_other_content_are_refused() {
    let key = SigningKey::generate().unwrap();
    let (private, public) = (key.to_pem().unwrap(), key.public().to_pem());
    for text in ["", "no key", &public, &private.replace("PRIVATE", "RSA PRIVATE"), &private[..60]] {
        assert_eq!(SigningKey::from_pem(text).unwrap_err(), KeyError::Private, "{text}");
    }
    for text in ["", "no key", "AAAA", &public[..60], &public.replace("MCowBQYDK2Vw", "MCowBQYDK2Vu")] {
        assert_eq!(PublicKey::parse(text), Err(KeyError::Public), "{text}");
    }
    assert_eq!(PublicKey::parse(&private), Err(KeyError::NotPublic));
    for file in [b"".as_slice(), b"AAAA", b"\xff\xfe", &[b'A'; 65], &[0; 63]] {
        assert_eq!(Signature::parse(file), Err(KeyError::Signature), "{file:?}");
    }
}
