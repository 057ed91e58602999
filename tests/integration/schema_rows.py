"""The least rows that the schema's promises can be tried on; in a fresh database every id is 1."""

from psycopg import AsyncConnection

# Bills and ledger transactions are checked when they commit, so each comes whole in one transaction.
PLANT = """
INSERT INTO community (code, name_zh, name_en, timezone) VALUES ('c', '小区', 'community', 'Asia/Shanghai');
INSERT INTO area (community_id, code, name_zh, name_en) VALUES (1, 'a', '区域', 'area');
INSERT INTO building (community_id, area_id, code, name_zh, name_en) VALUES (1, 1, 'B1', '一号楼', '1');
INSERT INTO unit (community_id, building_id, code, floor, floor_area) VALUES (1, 1, 'B1-101', 1, 80.5);
INSERT INTO party (community_id, code, name) VALUES (1, 'p', '业主');
INSERT INTO asset (community_id, area_id, building_id, class, code, name_zh, name_en)
    VALUES (1, 1, 1, 'elevator', 'E1', '电梯', 'elevator');
INSERT INTO device (community_id, asset_id, code, profile) VALUES (1, 1, 'd', 'elevator-native');
INSERT INTO staff (code, name) VALUES ('s1', '甲'), ('s2', '乙');
INSERT INTO plan (community_id, code, name_zh, name_en, kind, skill, asset_class, every_days, at_time,
                  starts_on)
    VALUES (1, 'm', '维保', 'care', 'maintenance', 'elevator', 'elevator', 15, '09:00', '2026-11-01');
INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh, meaning_en,
                   raised_at, recorded_at)
    VALUES (1, 1, 'past', 'major', '', '', '', '', '2026-11-23', '2026-11-23');
INSERT INTO work_order (community_id, number, asset_id, area_id, kind, skill, severity, title_zh, title_en,
                        opened_at, due_at)
    VALUES (1, 'W1', 1, 1, 'repair', 'elevator', 'major', '', '', '2026-11-23', '2026-11-23'),
           (1, 'W2', 1, 1, 'repair', 'elevator', 'major', '', '', '2026-11-23', '2026-11-23');
INSERT INTO order_move (order_id, from_status, to_status, at) VALUES (1, 'open', 'open', '2026-11-23');
INSERT INTO maintenance_record (community_id, seq, order_id, asset_id, kind, staff_id, completed_at, body,
                                prev_hash, hash)
    VALUES (1, 1, 1, 1, 'repair', 1, '2026-11-23', '{}', '', 'h1');
INSERT INTO charge_item (community_id, code, name_zh, name_en, basis, price_fen, contract, from_date)
    VALUES (1, 'service', '物业费', 'service', 'area', 250, 'contract', '2026-01-01');
INSERT INTO evidence (community_id, charge_item_id, period, promised, delivered, standards, digest)
    VALUES (1, 1, '2026-10-01', 2, 1, '[]', 'e1');
INSERT INTO bill (community_id, number, unit_id, party_id, party_name, period, total_fen, issued_at, due_on)
    VALUES (1, 'N1', 1, 1, '业主', '2026-09-01', 1000, '2026-11-23', '2026-12-01'),
           (1, 'N2', 1, 1, '业主', '2026-10-01', 1000, '2026-11-23', '2026-12-01');
INSERT INTO bill_line (bill_id, position, charge_item_id, name_zh, name_en, basis, quantity, price_fen,
                       amount_fen, contract)
    VALUES (1, 1, 1, '', '', 'area', 1, 1000, 1000, ''), (2, 1, 1, '', '', 'area', 1, 1000, 1000, '');
INSERT INTO ledger_account (community_id, kind, ref)
    VALUES (1, 'receivable', 'B1-101'), (1, 'income', 'service');
INSERT INTO ledger_transaction (community_id, kind, ref, at) VALUES (1, 'bill', 'N1', '2026-11-23');
INSERT INTO ledger_entry VALUES (1, 1, 1, 1000), (1, 2, 2, -1000);
INSERT INTO payment (community_id, channel, transaction_id, unit_id, bill_id, amount_fen, method, paid_at,
                     recorded_at, body, receipt_no, receipt)
    VALUES (1, 'cashier', 't1', 1, 1, 1500, 'cash', '2026-11-23', '2026-11-23', '{}', 'R1', '{}');
INSERT INTO allocation (payment_id, bill_id, amount_fen, at) VALUES (1, 1, 600, '2026-11-23');
INSERT INTO payment_refusal (community_id, channel, transaction_id, reason, detail, signed, body, receipt,
                             digest, recorded_at)
    VALUES (1, 'kiosk', 't0', 'unknown_bill', '', true, '', '', 'x', '2026-11-23');
INSERT INTO account (login, name, role) VALUES ('office', '前台', 'dispatcher');
INSERT INTO ticket (community_id, number, kind, channel, unit_id, party_id, body, opened_by, opened_at,
                    respond_by)
    VALUES (1, 'T1', 'enquiry', 'page', 1, 1, '?', 1, '2026-11-23', '2026-11-23');
INSERT INTO ticket_entry (ticket_id, account_id, at, text) VALUES (1, 1, '2026-11-23', '!');
INSERT INTO rule_version (file, version, text, reason, made_by, made_at)
    VALUES ('bin', 1, 'asset_class: bin', 'tried', '前台', '2026-11-23');
"""


ALARM = """
INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh, meaning_en,
                   raised_at, recorded_at)
    VALUES (1, 1, 'overflow', 'major', '', '', '', '', '2026-11-23', '2026-11-23')
"""
ORDER = """
INSERT INTO work_order (community_id, number, alarm_id, asset_id, area_id, kind, skill, severity, title_zh,
                        title_en, opened_at, due_at)
    VALUES (1, %(number)s, 1, 1, 1, 'repair', 'elevator', 'major', '', '', '2026-11-23', '2026-11-23')
"""
OFFERS = """
INSERT INTO offer (order_id, staff_id, round, slot, offered_at, expires_at, why)
    VALUES (1, 1, 1, 1, '2026-11-23', '2026-11-23', '{}'), (1, 2, 1, 2, '2026-11-23', '2026-11-23', '{}')
"""
RECORD = """
INSERT INTO maintenance_record (community_id, seq, order_id, asset_id, kind, staff_id, completed_at, body,
                                prev_hash, hash)
    VALUES (1, %(seq)s, %(order)s, 1, 'repair', 1, '2026-11-23', '{}', %(prev)s, %(hash)s)
"""
PAYMENT = """
INSERT INTO payment (community_id, channel, transaction_id, unit_id, bill_id, amount_fen, method, paid_at,
                     recorded_at, body, receipt_no, receipt)
    VALUES (1, 'cashier', 't2', 1, 2, 100, 'cash', '2026-11-23', '2026-11-23', '{}', %(receipt)s, '{}')
"""
BILL = """
INSERT INTO bill (community_id, number, unit_id, party_id, party_name, period, total_fen, issued_at, due_on)
    VALUES (1, %(number)s, 1, 1, '', '2026-11-01', %(total)s, '2026-11-23', '2026-12-01') RETURNING id
"""
LINE = """
INSERT INTO bill_line (bill_id, position, charge_item_id, name_zh, name_en, basis, quantity, price_fen,
                       amount_fen, contract)
    VALUES (%(bill)s, %(position)s, 1, '', '', 'area', 1, 1, %(fen)s, '')
"""
ALLOCATION = """
INSERT INTO allocation (payment_id, bill_id, amount_fen, at) VALUES (1, %(bill)s, %(fen)s, '2026-11-23')
"""
TRANSACTION = """
INSERT INTO ledger_transaction (community_id, kind, ref, at) VALUES (1, 'payment', 'R1', '2026-11-23')
    RETURNING id
"""
DEAD_LETTER = """
INSERT INTO dead_letter (received_at, topic, payload, digest, reason, detail)
    VALUES ('2026-11-23', 't', 'p', 'd', 'not_json', '')
"""
MESSAGE_OUT = """
INSERT INTO outbox (key, topic, payload, created_at, next_try_at)
    VALUES ('k', 't', 'p', '2026-11-23', '2026-11-23')
"""
EVENT = "INSERT INTO event VALUES (1, 1, 'mains_lost', '2026-11-23', '') ON CONFLICT DO NOTHING"


async def plant(conn: AsyncConnection) -> None:
    """One community with one of everything, committed."""
    async with conn.transaction():
        await conn.execute(PLANT)
