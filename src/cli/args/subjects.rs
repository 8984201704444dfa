//! Who a role is given to.

/// The flags that name users, groups and service accounts.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SubjectFlags {
    /// User; may be repeated
    #[arg(id = "subject-user", long = "user", value_name = "NAME")]
    pub users: Vec<String>,
    /// Group; may be repeated
    #[arg(id = "subject-group", long = "group", value_name = "NAME")]
    pub groups: Vec<String>,
    /// Service account, as NAMESPACE:NAME; may be repeated
    #[arg(long = "serviceaccount", value_name = "NAMESPACE:NAME")]
    pub accounts: Vec<String>,
}
