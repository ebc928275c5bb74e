import django.db.models.deletion
from django.db import migrations, models

import mainspring.records.search_index


class Migration(migrations.Migration):

    dependencies = [
        ('records', '0017_invitation_provisioned_registration_session_and_more'),
    ]

    operations = [
        migrations.CreateModel(
            name='SearchRow',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('object_kind', models.CharField(max_length=32)),
                ('object_id', models.UUIDField()),
                ('words', mainspring.records.search_index.Words()),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='records.tenant')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('object_id',), name='search_row_object')],
            },
        ),
        migrations.AddIndex(
            model_name='finding',
            index=models.Index(fields=['tenant', 'found_ms', 'id'], name='finding_by_found_ms'),
        ),
        migrations.AddIndex(
            model_name='lot',
            index=models.Index(fields=['tenant', 'created_ms', 'id'], name='lot_by_created_ms'),
        ),
    ]
