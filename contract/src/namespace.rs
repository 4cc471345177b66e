//! The XML namespaces of the contract (contract page, sections 1 and 3).

/// The contract's own namespace, `NS` on the contract page.
pub const CONTRACT: &str = "http://www.superoffice.net/EIS/Connector/1.0";
/// Arrays and dictionaries, `ARR` on the contract page.
pub const ARRAYS: &str = "http://schemas.microsoft.com/2003/10/Serialization/Arrays";
/// The members of requests and replies in the `plain` dialect.
pub const PLAIN: &str = "http://schemas.datacontract.org/2004/07/SuperOffice.ErpSync";
/// The members of `Authenticate` in the `plain` dialect.
pub const PLAIN_AUTHENTICATION: &str =
    "http://schemas.datacontract.org/2004/07/SuperOffice.SuperID.Contracts.V1";
/// What every namespace of the `plain` dialect begins with: the default namespace of a .NET data contract.
pub const PLAIN_PREFIX: &str = "http://schemas.datacontract.org/2004/07/";
/// `i:nil`.
pub const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The headers of a WCF message without WS-Addressing.
pub const ADDRESSING_NONE: &str = "http://schemas.microsoft.com/ws/2005/05/addressing/none";
/// The SOAP 1.1 envelope.
pub const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The SOAP 1.2 envelope.
pub const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";
