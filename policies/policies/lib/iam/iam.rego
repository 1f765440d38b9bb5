# METADATA
# title: IAM policy documents
# description: >-
#   The JSON text in a Terraform plan, where one statement may stand without its
#   list, and so may one action or one principal.
package library.lib.iam

# METADATA
# description: The statements of a document that allow something, as a list.
allowed(text) := [statement |
	some statement in list(json.unmarshal(text).Statement)
	statement.Effect == "Allow"
]

# METADATA
# description: A value as the list it may have been written as.
list(value) := value if is_array(value)

list(value) := [value] if not is_array(value)

# METADATA
# description: Whether a statement is for everybody, without a condition.
for_everybody(statement) if {
	not statement.Condition
	"*" in principals(statement.Principal)
}

principals(principal) := list(principal) if not is_object(principal)

principals(principal) := [name |
	some names in principal
	some name in list(names)
] if {
	is_object(principal)
}
