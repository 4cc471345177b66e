use std::fs;

use super::*;
use crate::SigningKey;

const BYTES: &[u8] = b"what a plugin file holds";
const HASH: &str = "00ff";

fn trust(sha256: &[&str], signers: &[&SigningKey]) -> Trust {
    Trust {
        sha256: sha256.iter().map(|&hash| hash.to_owned()).collect(),
        signers: signers.iter().map(|key| key.public()).collect(),
        ..Trust::default()
    }
}

#[test]
fn signature_check_accepts_a_listed_hash_or_a_signature_of_a_signer() {
    let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.so");
    let check = |trust: &Trust| trust.check(&file, BYTES, HASH).map_err(|error| error.to_string());
    let both = trust(&["11"], &[&ours]);

    assert_eq!(check(&Trust::default()), Ok(()), "no hashes and no signers");
    assert_eq!(check(&trust(&["11", HASH], &[])), Ok(()));
    assert_eq!(check(&trust(&[HASH], &[&ours])), Ok(()), "either of the two");
    assert!(
        check(&trust(&["11"], &[])).unwrap_err().contains("sha256 00ff is not listed in [trust] sha256; ")
    );
    assert!(
        check(&both).unwrap_err().contains("it is not signed")
            && check(&both).unwrap_err().contains("x.so.sig")
    );

    for (signature, expected) in [
        (ours.sign(BYTES).unwrap().to_string(), Ok(())),
        (theirs.sign(BYTES).unwrap().to_string(), Err("is not a signature of this file")),
        (ours.sign(b"another file").unwrap().to_string(), Err("is not a signature of this file")),
        ("no signature".to_owned(), Err("x.so.sig is no ed25519 signature")),
        (String::new(), Err("x.so.sig is no ed25519 signature")),
        ("A".repeat(5000), Err("x.so.sig is no ed25519 signature")),
    ] {
        fs::write(signature_path(&file), &signature).unwrap();
        match (check(&both), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(expected)) => {
                assert!(error.contains(expected) && error.contains("; ") && !error.contains('\n'), "{error}");
            }
            (result, expected) => panic!("{signature}: {result:?} instead of {expected:?}"),
        }
    }
}

#[cfg(unix)]
#[test]
fn permission_check_refuses_files_that_others_can_change() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it's a file.so");
    fs::write(&file, BYTES).unwrap();
    let check = |trust: &Trust, mode| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        trust.check_permissions(&file, &fs::metadata(&file).unwrap()).map_err(|error| error.to_string())
    };
    for mode in [0o644, 0o400, 0o755, 0o700] {
        assert_eq!(check(&Trust::default(), mode), Ok(()), "{mode:o}");
    }
    for mode in [0o664, 0o646, 0o777, 0o620] {
        let error = check(&Trust::default(), mode).unwrap_err();
        assert!(error.contains(&format!("(mode {mode:04o}); run: chmod go-w '")), "{error}");
        assert!(error.ends_with(r"it'\''s a file.so'"), "quoted for a shell: {error}");
    }
    let unchecked = Trust { checks_permissions: false, ..Trust::default() };
    assert_eq!(check(&unchecked, 0o777), Ok(()));
}
