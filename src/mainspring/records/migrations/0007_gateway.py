import django.db.models.deletion
import mainspring.core.ids
import mainspring.records.tenant
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('records', '0006_alarm_conditions'),
    ]

    operations = [
        migrations.CreateModel(
            name='Gateway',
            fields=[
                ('id', models.UUIDField(default=mainspring.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(default=1)),
                ('created_ms', models.BigIntegerField(default=mainspring.records.tenant.now_ms, editable=False)),
                ('changed_ms', models.BigIntegerField(default=mainspring.records.tenant.now_ms, editable=False)),
                ('name', models.CharField(max_length=32)),
                ('local', models.BooleanField(default=False)),
                ('credential', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='gateway', to='records.credential')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='records.tenant')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tenant', 'name'), name='gateway_name')],
            },
        ),
    ]
