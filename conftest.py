"""What all tests run under."""

import signal

# A shell ignores Ctrl-C in what it starts in the background, and the programs that tests interrupt
# would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
