"""XLSX files as spreadsheets write them, for people who drop one on the page."""

from __future__ import annotations

import io
import zipfile
from xml.sax.saxutils import escape

_SHEET = 'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"'


def workbook(rows: list[list[str]], *, sheet: str = "Year") -> bytes:
    """One sheet; numbers as numbers, names as shared strings."""
    strings: list[str] = []
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = []
        for column, text in enumerate(row):
            place = f"{chr(65 + column)}{number}"
            try:
                float(text)
                cells.append(f'<c r="{place}"><v>{text}</v></c>')
            except ValueError:
                strings.append(escape(text))
                cells.append(f'<c r="{place}" t="s"><v>{len(strings) - 1}</v></c>')
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    parts = {
        "xl/workbook.xml": f'<workbook><sheets><sheet name="{escape(sheet)}" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships><Relationship Id="rId1" {_SHEET} Target="worksheets/sheet1.xml"/></Relationships>'
        ),
        "xl/sharedStrings.xml": f"<sst>{''.join(f'<si><t>{text}</t></si>' for text in strings)}</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{''.join(lines)}</sheetData></worksheet>",
    }
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in parts.items():
            archive.writestr(path, text)
    return output.getvalue()
