//! Round trips: what is written reads as itself, in every dialect.

use proptest::prelude::*;

use super::strategies;
use crate::*;

proptest! {
    #[test]
    fn round_trip_of_any_request(call in strategies::call()) {
        let mut out = Vec::new();
        write_request(&mut out, &call);
        let action = call.soap_action();
        let read = super::read_call_preferring(call.envelope.profile(), &out, Some(&action));
        prop_assert_eq!(read.as_ref(), Ok(&call), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn round_trip_of_any_reply(
        (operation, reply) in strategies::operation().prop_flat_map(|one| (Just(one), strategies::reply(one))),
        envelope in strategies::envelope(),
    ) {
        let envelope = strategies::shown(envelope, operation, true);
        let mut out = Vec::new();
        write_reply(&mut out, &envelope, operation, &reply);
        let read = Profiles::builtin().read_reply(&out, operation, Some(envelope.profile()));
        prop_assert_eq!(read.clone().map(ReplyMessage::into_owned), read.clone(), "owned, it is the same");
        prop_assert_eq!(read, Ok(ReplyMessage { envelope, reply }), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn round_trip_of_any_fault(text in strategies::string(), at in 0usize..4, is_12: bool) {
        let code = [
            FaultCode::Client,
            FaultCode::Server,
            FaultCode::MustUnderstand,
            FaultCode::VersionMismatch,
        ][at].clone();
        let soap = if is_12 { SoapVersion::V12 } else { SoapVersion::V11 };
        let fault = Fault { code, text };
        let mut out = Vec::new();
        write_fault(&mut out, soap, &fault);
        prop_assert_eq!(read_reply(&out, Operation::GetActors), Err(ReplyError::Fault(fault)));
    }

    /// UTF-16, as a client with its charset sends it.
    #[test]
    fn round_trip_of_any_request_in_utf_16(call in strategies::call(), is_big_endian: bool, has_mark: bool) {
        let mut out = Vec::new();
        write_request(&mut out, &call);
        let text = String::from_utf8(out).unwrap();
        let mark = has_mark.then_some(0xFEFF);
        let units = mark.into_iter().chain(text.encode_utf16());
        let bytes: Vec<u8> = units
            .flat_map(|unit| if is_big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect();
        let decoded = decode(&bytes, Some("utf-16")).unwrap();
        let read = super::read_call_preferring(call.envelope.profile(), &decoded, Some(&call.soap_action()));
        prop_assert_eq!(read, Ok(call));
    }
}
