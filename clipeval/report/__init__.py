"""What people look at: tables, pictures and files made from results."""
