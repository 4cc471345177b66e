//! The field keys that SuperOffice maps to its own fields by itself, by actor type. They are fields of type Text, unless it is
//! said otherwise. Source: the vendor's page on automatic field mapping (contract page, section 2).
//!
//! ```
//! use plugin_api::{Field, field_key::company};
//!
//! let fields = [Field::text(company::NAME).mandatory(), Field::text(company::VATNO)];
//! assert_eq!(fields[1].key, "VATNO");
//! ```

/// The postal address, of companies and persons alike.
mod postal {
    /// The postal address, first line.
    pub const POSTALAD1: &str = "POSTALAD1";
    /// The postal address, second line.
    pub const POSTALAD2: &str = "POSTALAD2";
    /// The postal address, third line.
    pub const POSTALAD3: &str = "POSTALAD3";
    /// The postcode of the postal address.
    pub const POSTALZIP: &str = "POSTALZIP";
    /// The city of the postal address.
    pub const POSTALCITY: &str = "POSTALCITY";
    /// The county of the postal address.
    pub const POSTALCOUNTY: &str = "POSTALCOUNTY";
    /// The state of the postal address.
    pub const POSTALSTATE: &str = "POSTALSTATE";
}

/// Customers, suppliers and partners.
pub mod company {
    pub use super::postal::*;

    /// The name.
    pub const NAME: &str = "NAME";
    /// A code.
    pub const NUMBER1: &str = "NUMBER1";
    /// The number of the customer or supplier.
    pub const NUMBER2: &str = "NUMBER2";
    /// The department.
    pub const DEPARTMENT: &str = "DEPARTMENT";
    /// The telephone number.
    pub const PHONE: &str = "PHONE";
    /// The fax number.
    pub const FAX: &str = "FAX";
    /// The email address.
    pub const EMAIL: &str = "EMAIL";
    /// The web address.
    pub const URL: &str = "URL";
    /// The street address, first line.
    pub const STREETAD1: &str = "STREETAD1";
    /// The street address, second line.
    pub const STREETAD2: &str = "STREETAD2";
    /// The street address, third line.
    pub const STREETAD3: &str = "STREETAD3";
    /// The postcode of the street address.
    pub const STREETZIP: &str = "STREETZIP";
    /// The city of the street address.
    pub const STREETCITY: &str = "STREETCITY";
    /// The county of the street address.
    pub const STREETCOUNTY: &str = "STREETCOUNTY";
    /// The state of the street address.
    pub const STREETSTATE: &str = "STREETSTATE";
    /// The country.
    pub const COUNTRY: &str = "COUNTRY";
    /// The VAT or organisation number.
    pub const VATNO: &str = "VATNO";
}

/// Persons. SuperOffice does not map `NAME` for them.
pub mod person {
    pub use super::postal::*;

    /// The first name.
    pub const FIRSTNAME: &str = "FIRSTNAME";
    /// The middle name.
    pub const MIDDLENAME: &str = "MIDDLENAME";
    /// The last name.
    pub const LASTNAME: &str = "LASTNAME";
    /// The title.
    pub const TITLE: &str = "TITLE";
    /// The number of the person.
    pub const NUMBER: &str = "NUMBER";
    /// The direct telephone number.
    pub const PHONE_DIRECT: &str = "PHONE_DIRECT";
    /// The private telephone number.
    pub const PHONE_PRIVATE: &str = "PHONE_PRIVATE";
    /// The mobile telephone number.
    pub const PHONE_MOBILE: &str = "PHONE_MOBILE";
    /// Another telephone number.
    pub const PHONE_OTHER: &str = "PHONE_OTHER";
    /// The email address.
    pub const EMAIL: &str = "EMAIL";
    /// The position in the company.
    pub const POSITION: &str = "POSITION";
    /// The date of birth: a field of type Datetime.
    pub const BIRTHDATE: &str = "BIRTHDATE";
    /// The web address.
    pub const URL: &str = "URL";
    /// The country of the postal address.
    pub const POSTALCOUNTRY: &str = "POSTALCOUNTRY";
}

/// Projects.
pub mod project {
    /// The name.
    pub const NAME: &str = "NAME";
    /// The description.
    pub const TEXT: &str = "TEXT";
    /// The number of the project.
    pub const NUMBER: &str = "NUMBER";
    /// The web address.
    pub const URL: &str = "URL";
    /// The end date: a field of type Datetime.
    pub const ENDDATE: &str = "ENDDATE";
}
