"""A list of devices as a sheet: read from Excel or CSV in any encoding, written so that it reads back.

The first row names the columns, in Chinese or English; whatever is not one of ours is an attribute's name.
"""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from config.nearest import nearest
from config.text import Language, Text, printable
from gateway.devices.attributes import NOTE
from gateway.devices.draft import ATTRIBUTE, Wanted

LARGEST_FILE: Final = 2 * 1024 * 1024
LARGEST_UNPACKED: Final = 64 * 1024 * 1024
MOST_ROWS: Final = 5_000
MOST_COLUMNS: Final = 60
EXCEL_DIGITS: Final = 15
HEADINGS: Final[Mapping[str, Text]] = {
    "community": Text(zh="小区", en="community"),
    "code": Text(zh="设备编码", en="code"),
    "profile": Text(zh="型号", en="profile"),
    "asset": Text(zh="资产", en="asset"),
    "dev_eui": Text(zh="DevEUI", en="DevEUI"),
}
_ALIASES: Final = {
    **{text.zh.lower(): name for name, text in HEADINGS.items()},
    **{text.en.lower(): name for name, text in HEADINGS.items()},
    "小区代码": "community",
    "编码": "code",
    "设备": "code",
    "device": "code",
    "device code": "code",
    "设备型号": "profile",
    "资产编码": "asset",
    "dev_eui": "dev_eui",
    "dev eui": "dev_eui",
}
NEEDED: Final = ("community", "code", "profile")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class SheetFault:
    """What is wrong at a cell: its row (from 1), its column (A, B …) with the heading, the value found."""

    row: int
    column: str
    heading: str
    value: str
    right: Text


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the sheet by its number, as a device that somebody wants."""

    number: int
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as read. `columns` are the letters of each field's column."""

    rows: tuple[Row, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[SheetFault, ...] = ()

    def fault(self, number: int, name: str, value: str, right: Text) -> SheetFault:
        """A mistake of a row, at the column of a field; a column that is missing has no letter."""
        heading = HEADINGS[name].en if name in HEADINGS else name
        return SheetFault(number, self.columns.get(name, ""), heading, value, right)


class Unreadable(ValueError):
    """A file that is no sheet of ours; said in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")
        self.text = Text(zh=zh, en=en)


def read(content: bytes, known: Mapping[str, object]) -> Sheet:
    """Read a sheet, or raise `Unreadable`. `known` are the names of attributes, for saying what was meant."""
    if len(content) > LARGEST_FILE:
        raise Unreadable("文件超过 2 MB，请分批导入", "the file is over 2 MB; import it in parts")
    table = _excel(content) if content.startswith(b"PK") else _csv(content)
    return _sheet(table, known)


def _excel(content: bytes) -> list[list[str]]:
    # Imported here: it is slow to load, and wanted for sheets only.
    from openpyxl import load_workbook  # noqa: PLC0415

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            unpacked = sum(each.file_size for each in packed.infolist())
        if unpacked <= LARGEST_UNPACKED:
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            try:
                rows = book.worksheets[0].iter_rows(
                    max_row=MOST_ROWS + 2, max_col=MOST_COLUMNS + 1, values_only=True
                )
                return [[_text(cell) for cell in row] for row in rows]
            finally:
                book.close()
    # Whatever a file that only looks like a workbook makes the library stumble over.
    except Exception as error:
        raise Unreadable("这不是 Excel 工作簿（.xlsx）", "this is not an Excel workbook (.xlsx)") from error
    raise Unreadable("工作簿解开后过大", "the workbook is too large when unpacked")


class _Numeral(str):
    """A text that Excel keeps as a number, of which it may have lost the last digits."""

    __slots__ = ()


def _text(cell: Any) -> str:  # noqa: ANN401 - whatever Excel keeps in a cell
    """A cell as written: 2500.0 is 2500, and a truth is a word."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return _Numeral(f"{cell:.0f}" if cell == int(cell) else repr(cell))
    return str(cell).strip()


def _csv(content: bytes) -> list[list[str]]:
    text = _decoded(content)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), MOST_ROWS + 2)
        rows = [[_unguarded(cell.strip()) for cell in line] for line in lines]
    except csv.Error as error:
        raise Unreadable(f"这不是 CSV 文件：{error}", f"this is not a CSV file: {error}") from error
    return [row[: MOST_COLUMNS + 1] for row in rows]


def _decoded(content: bytes) -> str:
    """UTF-8 with or without its mark, UTF-16 with its mark, else GBK as Chinese Excel writes it."""
    encodings = ("utf-16",) if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Unreadable(
        "无法识别文件；请存为 .xlsx，或 UTF-8 / GBK 编码的 CSV",
        "the file cannot be read; save it as .xlsx, or as CSV in UTF-8 or GBK",
    )


def _sheet(table: Sequence[Sequence[str]], known: Mapping[str, object]) -> Sheet:
    if not table or not any(table[0]):
        raise Unreadable("第一行应为列名", "the first row should name the columns")
    if len(table) > MOST_ROWS + 1:
        raise Unreadable(
            f"超过 {MOST_ROWS} 行，请分批导入", f"there are over {MOST_ROWS} rows; import them in parts"
        )
    names, faults = _headings(table[0], known)
    columns = {name: letter(at) for at, name in names.items()}
    sheet = Sheet(columns=columns)
    rows = [
        Row(number, _wanted({name: row[at] if at < len(row) else "" for at, name in names.items()}))
        for number, row in enumerate(table[1:], start=2)
        if any(row)
    ]
    headed = max(at for at, heading in enumerate(table[0]) if heading)
    for number, row in enumerate(table[1:], start=2):
        faults += _stray(number, row, headed)
    for each in rows:
        eui = each.wanted.dev_eui
        if isinstance(eui, _Numeral) and len(eui) > EXCEL_DIGITS and eui.endswith("0"):
            faults.append(sheet.fault(each.number, "dev_eui", eui, _ROUNDED))
    if not rows:
        raise Unreadable("没有设备：列名之下没有数据", "there are no devices below the headings")
    return Sheet(tuple(rows), columns, tuple(faults))


_ROUNDED: Final = Text(
    zh="Excel 只保留 15 位数字，这个 DevEUI 可能已被改写；请把该列设为“文本”后重新填写",
    en="Excel keeps only 15 digits of a number, so this may be another DevEUI; format the column as text, and write it again",  # noqa: E501
)


def _headings(first: Sequence[str], known: Mapping[str, object]) -> tuple[dict[int, str], list[SheetFault]]:
    names: dict[int, str] = {}
    faults: list[SheetFault] = []

    def wrong(at: int, heading: str, zh: str, en: str) -> None:
        faults.append(SheetFault(1, letter(at) if at >= 0 else "", heading, heading, Text(zh=zh, en=en)))

    for at, heading in enumerate(first):
        name = _ALIASES.get(heading.lower(), heading)
        if not heading:
            continue
        if name in names.values():
            wrong(at, heading, "这一列出现了两次", "this column is there twice")
        elif name in HEADINGS or name in known or (name.startswith(NOTE) and ATTRIBUTE.fullmatch(name)):
            names[at] = name
        else:
            near = nearest(name, [*HEADINGS, *known])
            wrong(
                at, heading, f"不是列名，也不是属性；{near.zh}", f"is no column and no attribute; {near.en}"
            )
    if any(first[MOST_COLUMNS:]):
        wrong(MOST_COLUMNS, first[MOST_COLUMNS], f"最多 {MOST_COLUMNS} 列", f"at most {MOST_COLUMNS} columns")
    for name in NEEDED:
        if name not in names.values():
            words = HEADINGS[name]
            wrong(-1, words.en, f"缺少“{words.zh}”列", f"the column {words.en!r} is missing")
    return names, faults


def _stray(number: int, row: Sequence[str], headed: int) -> Iterator[SheetFault]:
    """Give what stands beyond the last column that has a heading, at most once a row."""
    for at, cell in enumerate(row):
        if cell and at > headed:
            right = Text(zh="这一列没有列名", en="this column has no heading")
            yield SheetFault(number, letter(at), "", cell, right)
            return


def _wanted(cells: Mapping[str, str]) -> Wanted:
    return Wanted(
        community=cells.get("community", ""),
        code=cells.get("code", ""),
        profile=cells.get("profile", ""),
        asset=cells.get("asset", ""),
        dev_eui=cells.get("dev_eui", ""),
        attributes={name: cell for name, cell in cells.items() if name not in HEADINGS},
    )


def letter(at: int) -> str:
    """The name of a column as spreadsheets say it: 0 is A, 26 is AA."""
    text = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell


def _guarded(cell: str) -> str:
    """A cell that a spreadsheet does not take for a formula, and reads at all."""
    cell = printable(cell)
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell


def heading(name: str, language: Language) -> str:
    """What a column is called."""
    return HEADINGS[name][language] if name in HEADINGS else name


def write_csv(names: Sequence[str], rows: Sequence[Mapping[str, str]], language: Language) -> bytes:
    """A sheet as CSV: UTF-8 with its mark, which Excel needs."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([heading(name, language) for name in names])
    writer.writerows([_guarded(row.get(name, "")) for name in names] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def write_excel(
    names: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    language: Language,
    notes: Sequence[Sequence[str]] = (),
) -> bytes:
    """A sheet as a workbook, every column as text; `notes` become a second sheet."""
    from openpyxl import Workbook  # noqa: PLC0415 - see `_excel`
    from openpyxl.styles import Font  # noqa: PLC0415

    book = Workbook()
    sheet = book.active
    sheet.title = "设备" if language == "zh" else "devices"
    for at, name in enumerate(names, start=1):
        column = letter(at - 1)
        sheet.column_dimensions[column].number_format = "@"
        sheet.column_dimensions[column].width = 22
        _put(sheet.cell(row=1, column=at), heading(name, language)).font = Font(bold=True)
        for number, row in enumerate(rows, start=2):
            _put(sheet.cell(row=number, column=at), row.get(name, ""))
    sheet.freeze_panes = "A2"
    if notes:
        other = book.create_sheet("说明" if language == "zh" else "notes")
        for number, line in enumerate(notes, start=1):
            for at, text in enumerate(line, start=1):
                _put(other.cell(row=number, column=at), text)
        for column in "ABCD":
            other.column_dimensions[column].width = 32
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _put(cell: Any, text: str) -> Any:  # noqa: ANN401 - openpyxl has no types
    text = printable(text)  # a workbook with anything else is written in vain, or cannot be read
    if text:
        cell.value = text
        cell.data_type = "s"  # never a formula, whatever it begins with
        cell.number_format = "@"
    return cell
