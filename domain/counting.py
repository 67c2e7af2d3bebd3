"""Numbers of things in words."""


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number and the word for so many.

    >>> counted(1, "object"), counted(1000, "object"), counted(0, "is", "are")
    ('1 object', '1,000 objects', '0 are')
    """
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"
