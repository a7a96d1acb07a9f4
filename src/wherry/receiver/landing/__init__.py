"""What the receiver does with what has landed: it makes it boot, rehearses it, makes servers of it."""
