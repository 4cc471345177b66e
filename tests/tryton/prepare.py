"""Makes a Tryton database for the connector of `examples/tryton-connector`, with a few records, in a folder:

    python prepare.py FOLDER PORT
    trytond -c FOLDER/trytond.conf -d erp

It needs the packages trytond, trytond_party_relationship and trytond_project_plan, and those that they bring. The user `superoffice` has
the password `fjord-and-fjell`.
"""
import os
import pathlib
import subprocess
import sys

DATABASE = 'erp'
USER, PASSWORD = 'superoffice', 'fjord-and-fjell'
CONFIGURATION = """[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
[password]
# The passwords of tests are short.
entropy = 0
"""


def main(folder, port):
    folder = pathlib.Path(folder).resolve()
    configuration = folder / 'trytond.conf'
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port))
    database = folder / f'{DATABASE}.sqlite'
    if database.exists():
        return
    # trytond-admin fills a database file that exists.
    database.touch()
    password = folder / 'admin.password'
    password.write_text(PASSWORD)
    admin = pathlib.Path(sys.executable).with_name('trytond-admin')
    subprocess.run(
        [admin, '-c', configuration, '-d', DATABASE, '-u', 'party_relationship', 'project_plan',
            '--activate-dependencies', '--email', 'admin@example.com'],
        env={**os.environ, 'TRYTONPASSFILE': str(password)}, check=True)
    fill(configuration)


def fill(configuration):
    """Creates the company, the user of the connector, the lists, and the records."""
    from trytond import config
    config.update_etc(str(configuration))
    from trytond.pool import Pool
    from trytond.transaction import Transaction
    Pool.start()
    pool = Pool(DATABASE)
    with Transaction().start(DATABASE, 0, readonly=True):
        pool.init()
    with Transaction().start(DATABASE, 1):
        create(pool)
    # A transaction each, so that they differ in the time of their last change.
    for model in ['party.party', 'project.work']:
        with Transaction().start(DATABASE, 1, readonly=True):
            ids = [record.id for record in pool.get(model).search([])]
        for record in ids:
            with Transaction().start(DATABASE, 1):
                pool.get(model).write([pool.get(model)(record)], {})


def create(pool):
    def made(model, **values):
        record, = pool.get(model).create([values])
        return record.id

    def found(model, field, value):
        record, = pool.get(model).search([(field, '=', value)])
        return record.id

    norway, sweden = (
        made('country.country', name=name, code=code, code3=code3)
        for name, code, code3 in [('Norway', 'NO', 'NOR'), ('Sweden', 'SE', 'SWE')])
    pool.get('ir.lang').write(
        pool.get('ir.lang').search([('code', 'in', ['nb', 'de', 'fr'])]), {'active': True})
    english, french = (found('ir.lang', 'code', code) for code in ['en', 'fr'])

    krone = made('currency.currency', name='Norwegian krone', symbol='kr', code='NOK')
    company = made(
        'company.company', party=made('party.party', name='Fjord & Fjell AS'), currency=krone)
    groups = pool.get('res.group').search([])
    made(
        'res.user', name='SuperOffice', login=USER, password=PASSWORD, language=english,
        companies=[('add', [company])], company=company, groups=[('add', [group.id for group in groups])])

    customers = made('party.category', name='Customer')
    contact = made('party.relation.type', name='Contact of')
    made('party.relation.type', name='Has the contact', reverse=contact)
    pool.get('party.relation.type').write(
        [pool.get('party.relation.type')(contact)],
        {'reverse': found('party.relation.type', 'name', 'Has the contact')})

    def customer(name, city=None, country=None, language=None, **contacts):
        return made(
            'party.party', name=name, lang=language, categories=[('add', [customers])],
            addresses=[('create', [{'city': city, 'country': country, 'postal_code': '0001'}])] if city else [],
            contact_mechanisms=[
                ('create', [{'type': kind, 'value': value} for kind, value in contacts.items()])])

    fjord = customer('Nordlys Møbler', 'Tromsø', norway, french, phone='+47 77 00 00 00', email='post@nordlys.example')
    smed = customer('Åse Smed', 'Malmö', sweden, website='https://smed.example')
    customer('Bjørk & Bjerke', None, None, english)
    for name, employer, contacts in [
            ('Kari Nordmann', fjord, {'mobile': '+47 900 00 000'}), ('Ola Öberg', smed, {}), ('Ada Åsen', fjord, {})]:
        made(
            'party.party', name=name, relations=[('create', [{'to': employer, 'type': contact}])],
            contact_mechanisms=[
                ('create', [{'type': kind, 'value': value} for kind, value in contacts.items()])])

    import datetime
    status = pool.get('project.work.status').get_default_status('project')
    for name, party, effort, finish in [
            ('New warehouse', fjord, 40, datetime.datetime(2027, 3, 1)), ('Web shop', smed, 7.5, None),
            ('Move', None, None, datetime.datetime(2026, 12, 24, 12, 30))]:
        made(
            'project.work', name=name, type='project', company=company, party=party, status=status,
            effort_duration=effort and datetime.timedelta(hours=effort), constraint_finish_time=finish)


if __name__ == '__main__':
    main(*sys.argv[1:])
