"""What biomechanics needs from outside: vision, tracking, rendering, the library, the store."""
