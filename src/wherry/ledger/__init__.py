"""What must not be lost: the schema, its migrations, the queries and the group-commit writer."""
