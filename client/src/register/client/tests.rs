//! Addresses of a NetServer site.

use super::base_url;

#[test]
fn base_url_is_taken_from_the_address_of_a_site_or_service() {
    let cases = [
        ("https://crm.example.com", "https://crm.example.com/"),
        ("https://online.example.com/Cust12345/", "https://online.example.com/Cust12345"),
        ("https://crm.example.com/so/Remote/Services87/ErpSync.svc?wsdl", "https://crm.example.com/so"),
        (" http://crm/remote/services88/ ", "http://crm/"),
    ];
    for (given, expected) in cases {
        assert_eq!(base_url(given).unwrap().as_str(), expected, "{given}");
    }
    for given in ["crm.example.com", "ftp://crm.example.com", "", "https://"] {
        assert!(base_url(given).is_err(), "{given:?}");
    }
    let error = base_url("https://kari:hunter2@crm.example.com").unwrap_err().to_string();
    assert!(error.contains("--user") && !error.contains("hunter2"), "{error}");
}
